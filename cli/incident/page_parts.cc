// SPDX-License-Identifier: Apache-2.0
#include "cli/incident/page_parts.h"

#include <algorithm>
#include <array>
#include <cstdio>

#include "lib/base/rfc3339.h"

namespace ward::cli {
namespace {

// Colours have a contrast of 4.5 to 1 at least, in both schemes: a test measures it.
constexpr html::Literal kStyle =
    ":root{color-scheme:light dark;--ink:#1b1f24;--soft:#57606a;--paper:#fff;--box:#f6f8fa;"
    "--line:#d0d7de;--bad:#b3261e;--badbox:#fdeceb;--good:#1a6f37;--link:#0a58ca;--mark:#0a58ca}"
    "@media (prefers-color-scheme:dark){:root{--ink:#e6edf3;--soft:#9da7b3;--paper:#0d1117;"
    "--box:#161b22;--line:#3d444d;--bad:#ff9b94;--badbox:#3a1614;--good:#6fdd8b;--link:#79b8ff;"
    "--mark:#79b8ff}}"
    "*{box-sizing:border-box}"
    "body{margin:0;background:var(--paper);color:var(--ink);"
    "font:16px/1.5 system-ui,-apple-system,'Segoe UI','DejaVu Sans',sans-serif}"
    "main{max-width:60rem;margin:0 auto;padding:1rem}"
    "h1{font-size:1.25rem;line-height:1.35;margin:.25rem 0 1rem;padding:.75rem 1rem;"
    "border-left:.4rem solid var(--bad);background:var(--badbox)}"
    "h1.calm{border-color:var(--mark);background:var(--box)}"
    "h2{font-size:1.05rem;margin:1.75rem 0 .5rem;padding-bottom:.25rem;"
    "border-bottom:1px solid var(--line)}"
    "h3{font-size:.95rem;margin:1rem 0 .25rem}"
    "h1,p,dd,td,li,code,pre{overflow-wrap:anywhere}"
    "p{margin:.5rem 0}a{color:var(--link)}"
    ".soft,caption{color:var(--soft);font-size:.875rem}"
    ".bad{color:var(--bad);font-weight:600}.good{color:var(--good);font-weight:600}"
    "code,pre,.tree{font-family:ui-monospace,SFMono-Regular,Consolas,'DejaVu Sans Mono',monospace;"
    "font-size:.875rem}"
    "pre{background:var(--box);border:1px solid var(--line);border-radius:.3rem;padding:.6rem;"
    "margin:.25rem 0 .75rem;white-space:pre-wrap;max-height:24rem;overflow:auto}"
    "pre.copy{user-select:all;max-height:none}"
    "dl{display:grid;grid-template-columns:minmax(7rem,12rem) 1fr;gap:.25rem 1rem;margin:.5rem 0}"
    "dt{color:var(--soft)}dd{margin:0}"
    "table{width:100%;border-collapse:collapse;font-size:.875rem;margin:.5rem 0}"
    "caption{text-align:left;padding:.25rem 0}"
    "th,td{text-align:left;vertical-align:top;padding:.3rem .6rem .3rem 0;"
    "border-bottom:1px solid var(--line)}th{font-weight:600}td{min-width:6rem}"
    ".wide{overflow-x:auto}"
    ".tree ul{list-style:none;margin:0;padding-left:1rem;border-left:1px solid var(--line)}"
    ".tree>ul{border:0;padding:0}.tree li{padding:.15rem 0}"
    "svg{display:block;width:100%;max-width:36rem;height:auto}"
    "svg text{font:12px system-ui,'DejaVu Sans',sans-serif;fill:var(--ink)}"
    "svg .time{font-weight:600}svg rect{fill:var(--mark)}svg .track{fill:var(--box)}"
    "nav{font-size:.875rem}summary{cursor:pointer;font-weight:600;margin-top:1.75rem}"
    "@media (max-width:30rem){dl{grid-template-columns:1fr;gap:0}dd{margin-bottom:.5rem}"
    "main{padding:.6rem}}"
    "@media print{pre{max-height:none}}";

std::string decimal(double value) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.1f", value);
  return text.data();
}

}  // namespace

std::string whole_page(std::string_view title, const html::Html& body) {
  return html::document(title, kStyle, body);
}

Section::Section(html::Writer& out, std::string_view id, std::string_view title)
    : out_(out), began_(out.size()) {
  out_.open("section", {{"id", id}}).element("h2", title);
}

Section::~Section() { out_.close(); }

void Section::say_left_out(std::size_t left_out) {
  if (left_out == 0) return;
  out_.element("p", {{"class", "soft"}},
               std::to_string(left_out) + " more are in the evidence, and not shown here.");
}

void Facts::add(std::string_view name, std::string_view value, Text text) {
  if (value.empty()) return;
  out_.element("dt", name).open("dd");
  if (text == Text::kTheirs) {
    out_.data(value, 1024);
  } else {
    out_.text(value);
  }
  out_.close();
}

void begin_table(html::Writer& out, std::string_view caption,
                 const std::vector<std::string_view>& heads) {
  out.open("div",
           {{"class", "wide"}, {"tabindex", "0"}, {"role", "region"}, {"aria-label", caption}});
  out.open("table").element("caption", caption).open("thead").open("tr");
  for (const std::string_view head : heads) out.element("th", {{"scope", "col"}}, head);
  out.close().close().open("tbody");
}

void row(html::Writer& out, const std::vector<std::string>& cells) {
  out.open("tr");
  for (const std::string& cell : cells) out.open("td").text(cell, 1024).close();
  out.close();
}

void end_table(html::Writer& out) { out.close().close().close(); }

void box(html::Writer& out, std::string_view name, std::string_view text, std::size_t max_bytes) {
  out.open("pre", {{"tabindex", "0"}, {"role", "region"}, {"aria-label", name}});
  out.lines(text, max_bytes).close();
}

std::string utc_text(std::int64_t wall_ns) {
  return wall_ns == 0 ? "-" : format_rfc3339(wall_ns).substr(0, 19) + "Z";
}

std::string microseconds_text(std::int64_t at_ns) {
  const std::int64_t tenths = at_ns / 100;
  std::string text = "+" + std::to_string(tenths / 10);
  if (tenths < 10'000 && tenths % 10 != 0) text += "." + std::to_string(tenths % 10);
  return text + " us";
}

void draw_timeline(html::Writer& out, const std::vector<Moment>& moments) {
  constexpr int kWidth = 360, kRowHeight = 40, kTop = 6;
  constexpr std::size_t kMaxDrawn = 24, kMaxLabel = 44;
  const std::size_t drawn = std::min(moments.size(), kMaxDrawn);
  const double longest =
      drawn == 0 ? 1 : std::max<double>(1, static_cast<double>(moments[drawn - 1].at_ns));
  const std::string box_size = "0 0 " + std::to_string(kWidth) + " " +
                               std::to_string(kTop + kRowHeight * static_cast<int>(drawn));
  out.open("svg", {{"role", "img"},
                   {"viewBox", box_size},
                   {"aria-label", "Time from the notification on; the table below says the same"}});
  for (std::size_t i = 0; i < drawn; ++i) {
    const int y = kTop + kRowHeight * static_cast<int>(i);
    const double width =
        std::max(2.0, static_cast<double>(moments[i].at_ns) / longest * (kWidth - 2));
    std::string label = moments[i].what;
    if (label.size() > kMaxLabel) label = label.substr(0, kMaxLabel) + "...";
    out.element("text", {{"x", "1"}, {"y", std::to_string(y + 12)}}, label);
    out.element("text",
                {{"class", "time"},
                 {"x", std::to_string(kWidth - 1)},
                 {"y", std::to_string(y + 12)},
                 {"text-anchor", "end"}},
                microseconds_text(moments[i].at_ns));
    out.element("rect",
                {{"class", "track"},
                 {"x", "1"},
                 {"y", std::to_string(y + 19)},
                 {"width", std::to_string(kWidth - 2)},
                 {"height", "8"}},
                "");
    out.element(
        "rect",
        {{"x", "1"}, {"y", std::to_string(y + 19)}, {"width", decimal(width)}, {"height", "8"}},
        "");
  }
  out.close();
}

}  // namespace ward::cli
