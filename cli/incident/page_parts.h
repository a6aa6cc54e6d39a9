// SPDX-License-Identifier: Apache-2.0
// What the pages have in common: the style, sections that stay within their room, facts in two
// columns, the picture of the timeline.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "cli/incident/evidence.h"
#include "lib/html/html.h"

namespace ward::cli {

// A finished page with this body.
std::string whole_page(std::string_view title, const html::Html& body);

// A part of a page under a heading. Who fills it asks has_room() before each row.
class Section {
 public:
  static constexpr std::size_t kRoomBytes = 18'000;

  // What stands behind `opens` does not end before it.
  Section(html::Writer& out, std::string_view id, std::string_view title);
  ~Section();
  Section(const Section&) = delete;
  Section& operator=(const Section&) = delete;

  [[nodiscard]] bool has_room() const { return out_.size() - began_ < kRoomBytes; }
  // "12 more are in the raw JSON", where some were left out.
  void say_left_out(std::size_t left_out);

 private:
  html::Writer& out_;
  std::size_t began_;
};

enum class Text { kOurs, kTheirs };  // theirs: bytes as a container chose them

class Facts {
 public:
  explicit Facts(html::Writer& out) : out_(out) { out_.open("dl"); }
  ~Facts() { out_.close(); }
  Facts(const Facts&) = delete;
  Facts& operator=(const Facts&) = delete;
  // Nothing where the value is empty.
  void add(std::string_view name, std::string_view value, Text text = Text::kOurs);

 private:
  html::Writer& out_;
};

// Opens a table with these column heads. The caller closes it with end_table().
void begin_table(html::Writer& out, std::string_view caption,
                 const std::vector<std::string_view>& heads);
void row(html::Writer& out, const std::vector<std::string>& cells);  // escaped already, or ours
void end_table(html::Writer& out);

// Lines in a box of their own that can be reached and scrolled without a mouse.
void box(html::Writer& out, std::string_view name, std::string_view text, std::size_t max_bytes);

void draw_timeline(html::Writer& out, const std::vector<Moment>& moments);
std::string utc_text(std::int64_t wall_ns);         // "2026-11-23T18:43:01Z", "-" for 0
std::string microseconds_text(std::int64_t at_ns);  // "+618 us"

}  // namespace ward::cli
