// SPDX-License-Identifier: Apache-2.0
#include "cli/present/table.h"

#include <algorithm>

#include "lib/base/escape.h"

namespace ward::cli {

void Table::add(std::vector<Cell> row) {
  for (Cell& cell : row) {
    cell.text = escape(cell.text, 200);
    if (cell.text.empty()) cell.text = "-";
  }
  rows_.push_back(std::move(row));
}

std::string Table::text(const Style& style) const {
  std::vector<std::size_t> widths;
  for (const std::string& heading : headings_) widths.push_back(heading.size());
  for (const auto& row : rows_) {
    for (std::size_t i = 0; i < row.size(); ++i)
      widths[i] = std::max(widths[i], row[i].text.size());
  }
  const auto padded = [&](const std::string& cell, std::size_t column, std::size_t columns) {
    std::string out = cell;
    if (column + 1 < columns) out.append(widths[column] - cell.size() + 2, ' ');
    return out;
  };
  std::string out;
  for (std::size_t i = 0; i < headings_.size(); ++i)
    out += style.bold(padded(headings_[i], i, headings_.size()));
  out += '\n';
  for (const auto& row : rows_) {
    for (std::size_t i = 0; i < row.size(); ++i) {
      const std::string cell = padded(row[i].text, i, row.size());
      out += row[i].paint ? row[i].paint(cell) : cell;
    }
    out += '\n';
  }
  return out;
}

}  // namespace ward::cli
