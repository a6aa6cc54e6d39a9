// SPDX-License-Identifier: Apache-2.0
#include "cli/present/discovery_text.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <vector>

#include "profiles/learn/discovery.h"

namespace ward::cli {
namespace {

constexpr std::size_t kColumns = 60, kRows = 6;

std::string length_text(std::uint64_t ms) {
  constexpr std::int64_t kMillisecond_ns = 1'000'000;
  return profiles::describe_length(static_cast<std::int64_t>(ms) * kMillisecond_ns);
}

std::uint32_t last_count(const ward::v1::Coverage& c) {
  return c.discovery_size() == 0 ? 0 : c.discovery(c.discovery_size() - 1).calls();
}

// Never 0, so that it can be divided by: a call may be the last thing of a recording.
std::uint64_t whole_ms(const ward::v1::Coverage& c) {
  std::uint64_t whole = std::max<std::uint64_t>(c.recorded_ms(), 1);
  for (const auto& step : c.discovery()) whole = std::max<std::uint64_t>(whole, step.at_ms());
  return whole;
}

// How many calls were known at the end of each column's share of the time.
std::vector<std::uint32_t> heights(const ward::v1::Coverage& c) {
  std::vector<std::uint32_t> out(kColumns, 0);
  for (const auto& step : c.discovery()) {
    const std::size_t from = std::min<std::size_t>(
        static_cast<std::size_t>(step.at_ms() * kColumns / whole_ms(c)), kColumns - 1);
    std::fill(out.begin() + static_cast<std::ptrdiff_t>(from), out.end(), step.calls());
  }
  return out;
}

std::string gains(const ward::v1::Coverage& c) {
  constexpr int kShown = 8;
  std::string out;
  for (int i = 0; i < std::min(c.runs_size(), kShown); ++i) {
    out += (i == 0 ? "" : ", ") + std::string(i == 0 ? "" : "+") +
           std::to_string(c.runs(i).added()) + " (" + length_text(c.runs(i).length_ms()) + ")";
  }
  if (c.runs_size() > kShown) out += ", and " + std::to_string(c.runs_size() - kShown) + " more";
  return out;
}

std::string number(double value) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.1f", value);
  return text.data();
}

std::string svg_escape(const std::string& text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&': out += "&amp;"; break;
      case '<': out += "&lt;"; break;
      case '>': out += "&gt;"; break;
      case '"': out += "&quot;"; break;
      default: out += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
    }
  }
  return out;
}

// The plot's place within the picture.
constexpr double kLeft = 60, kTop = 50, kWidth = 560, kHeight = 220;

struct Scale {
  double per_ms, per_call;
  [[nodiscard]] double x(std::uint64_t ms) const {
    return kLeft + static_cast<double>(ms) * per_ms;
  }
  [[nodiscard]] double y(std::uint32_t calls) const { return kTop + kHeight - calls * per_call; }
};

std::string svg_label(double x, double y, const std::string& anchor, const std::string& text) {
  return "<text x=\"" + number(x) + "\" y=\"" + number(y) + "\" text-anchor=\"" + anchor + "\">" +
         svg_escape(text) + "</text>\n";
}

std::string svg_curve(const ward::v1::Coverage& c, const Scale& scale) {
  std::string path = "M" + number(kLeft) + " " + number(scale.y(0));
  for (const auto& step : c.discovery())
    path += " H" + number(scale.x(step.at_ms())) + " V" + number(scale.y(step.calls()));
  path += " H" + number(kLeft + kWidth);
  return "<path class=\"curve\" d=\"" + path + "\"/>\n";
}

std::string svg_line(double x) {
  const std::string at = number(x);
  return "<line class=\"run\" x1=\"" + at + "\" y1=\"" + number(kTop) + "\" x2=\"" + at +
         "\" y2=\"" + number(kTop + kHeight) + "\"/>\n";
}

// Where one run ends and the next begins.
std::string svg_runs(const ward::v1::Coverage& c, const Scale& scale) {
  std::string out;
  std::uint64_t at = 0;
  for (int i = 0; i + 1 < c.runs_size(); ++i) {
    at += c.runs(i).length_ms();
    out += svg_line(scale.x(at));
  }
  return out;
}

}  // namespace

std::string discovery_text(const ward::v1::Coverage& c) {
  const std::uint32_t most = last_count(c);
  if (most == 0) return "";
  const std::vector<std::uint32_t> columns = heights(c);
  std::string out;
  for (std::size_t row = kRows; row > 0; --row) {
    std::array<char, 16> label{};
    std::snprintf(label.data(), label.size(), "  %5s |",
                  row == kRows ? std::to_string(most).c_str() : "");
    std::string line = label.data();
    for (const std::uint32_t height : columns) line += height * kRows >= most * row ? '#' : ' ';
    while (line.back() == ' ') line.pop_back();
    out += line + "\n";
  }
  out += "        +" + std::string(kColumns, '-') + "\n";
  const std::string end = length_text(whole_ms(c));
  out += "         0" + std::string(kColumns - 1 - std::min(end.size(), kColumns - 1), ' ') + end +
         "\n";
  out += "  new by run   " + gains(c) + "\n";
  out += "  new late     " + std::to_string(c.found_late()) +
         " in the second half of the recorded time\n";
  return out;
}

std::string discovery_svg(const std::string& workload, const ward::v1::Coverage& c) {
  const std::uint32_t most = std::max(last_count(c), 1U);
  const Scale scale{kWidth / static_cast<double>(whole_ms(c)), kHeight / most};
  std::string out =
      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 640 320\" role=\"img\" "
      "aria-labelledby=\"title\">\n<title id=\"title\">" +
      svg_escape("Calls of " + workload + " that were known, by recorded time") +
      "</title>\n<style>\n"
      "svg { background: #fff } text { font: 13px sans-serif; fill: #222 }\n"
      ".axis { stroke: #555 } .run { stroke: #999; stroke-dasharray: 3 3 }\n"
      ".curve { fill: none; stroke: #0b57a4; stroke-width: 2 }\n"
      "@media (prefers-color-scheme: dark) {\n"
      "svg { background: #16181c } text { fill: #e6e6e6 } .axis { stroke: #aaa }\n"
      ".run { stroke: #666 } .curve { stroke: #6cb6ff } }\n</style>\n";
  out += svg_label(kLeft, kTop - 22, "start",
                   workload + ": " + std::to_string(last_count(c)) + " calls in " +
                       length_text(whole_ms(c)) + " of " + std::to_string(c.runs_size()) + " runs");
  out += "<path class=\"axis\" fill=\"none\" d=\"M" + number(kLeft) + " " + number(kTop) + " V" +
         number(kTop + kHeight) + " H" + number(kLeft + kWidth) + "\"/>\n";
  out += svg_label(kLeft - 8, kTop + 5, "end", std::to_string(last_count(c)));
  out += svg_label(kLeft - 8, kTop + kHeight, "end", "0");
  out += svg_label(kLeft + kWidth, kTop + kHeight + 20, "end", length_text(whole_ms(c)));
  out += svg_label(kLeft, kTop + kHeight + 20, "start", "0 s");
  return out + svg_runs(c, scale) + svg_curve(c, scale) + "</svg>\n";
}

}  // namespace ward::cli
