// SPDX-License-Identifier: Apache-2.0
// A table of text with aligned columns. Cells are escaped on the way in; colour is added per cell
// afterwards, so that it does not count in widths. The last column is never padded.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "cli/present/style.h"

namespace ward::cli {

class Table {
 public:
  using Paint = std::function<std::string(const std::string& padded)>;
  struct Cell {
    std::string text;
    Paint paint;
    // NOLINTBEGIN(google-explicit-constructor): rows are written as lists
    Cell(std::string t) : text(std::move(t)) {}
    Cell(const char* t) : text(t) {}
    // NOLINTEND(google-explicit-constructor)
    Cell(std::string t, Paint p) : text(std::move(t)), paint(std::move(p)) {}
  };

  explicit Table(std::vector<std::string> headings) : headings_(std::move(headings)) {}
  void add(std::vector<Cell> row);
  [[nodiscard]] std::string text(const Style& style) const;
  [[nodiscard]] bool empty() const { return rows_.empty(); }

 private:
  std::vector<std::string> headings_;
  std::vector<std::vector<Cell>> rows_;
};

}  // namespace ward::cli
