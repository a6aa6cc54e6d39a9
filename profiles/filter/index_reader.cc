// SPDX-License-Identifier: Apache-2.0
#include "profiles/filter/index_reader.h"

#include <fcntl.h>

#include <cstring>

#include "profiles/filter/limits.h"
#include "profiles/filter/selector.h"

namespace ward::filter {
namespace {

using node::v1::CompiledIndex;
using node::v1::Identity;
using node::v1::ProfileRef;
using node::v1::Rule;

tl::unexpected<Error> damaged(const char* how) {
  return fail(Code::kInvalidArgument, std::string("damaged: ") + how);
}

template <typename Message>
Result<Message> parse(const Result<std::string_view>& bytes) {
  if (!bytes) return tl::unexpected<Error>(bytes.error());
  Message message;
  if (!message.ParseFromArray(bytes->data(), static_cast<int>(bytes->size()))) {
    return damaged("the content cannot be read");
  }
  return message;
}

bool is_key(const std::array<std::uint8_t, 32>& lengths, std::size_t bytes) {
  return (lengths.at(bytes / 8) >> bytes % 8 & 1U) != 0;
}

template <typename Number>
void sort_once(std::vector<Number>& numbers) {
  std::sort(numbers.begin(), numbers.end());
  numbers.erase(std::unique(numbers.begin(), numbers.end()), numbers.end());
}

}  // namespace

Result<IndexReader> IndexReader::open(const std::filesystem::path& path) {
  // Not to wait where somebody put a FIFO.
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
  if (!fd) return fail_errno("open '" + path.string() + "'");
  auto index = open(std::move(fd));
  if (!index) return fail_with("compiled index '" + path.string() + "'", index.error());
  return index;
}

Result<IndexReader> IndexReader::open(UniqueFd fd) {
  auto file = BlockFile::open(std::move(fd), kIndexMagic, kMaxIndexBytes);
  if (!file) return tl::unexpected<Error>(file.error());
  Layout layout;
  const auto bytes = file->read(0, sizeof layout);
  if (!bytes) return tl::unexpected<Error>(bytes.error());
  std::memcpy(&layout, bytes->data(), sizeof layout);
  for (const TablePlace* table :
       {&layout.selectors, &layout.rules, &layout.profiles, &layout.buckets}) {
    const bool fits = table->at <= file->size() && table->bytes <= file->size() - table->at &&
                      table->items < file->size() &&
                      (table->items + 1) * sizeof(std::uint32_t) <= table->bytes;
    if (!fits) return damaged("it points behind its end");
  }
  const std::uint64_t keyed = layout.buckets.items - 1;
  if (layout.rules.items > kMaxRules || layout.selectors.items != layout.rules.items ||
      layout.buckets.items < 2 || (keyed & (keyed - 1)) != 0) {
    return damaged("the counts do not fit");
  }
  auto head = parse<CompiledIndex>(file->read(layout.head_at, layout.head_bytes));
  if (!head) return tl::unexpected<Error>(head.error());
  if (head->format() != kFormat) {
    return fail(Code::kInvalidArgument,
                "format " + std::to_string(head->format()) +
                    " is not one this program knows: restart wardd and the shim of one version");
  }
  return IndexReader(std::move(*file), layout, std::move(*head));
}

Result<std::string_view> IndexReader::item(const TablePlace& table, std::uint64_t number) {
  if (number >= table.items) return damaged("there is no such item");
  const std::uint64_t offset_at = table.at + number * sizeof(std::uint32_t);
  const auto begin = file_.read_number(offset_at);
  if (!begin) return tl::unexpected<Error>(begin.error());
  const auto end = file_.read_number(offset_at + sizeof(std::uint32_t));
  if (!end) return tl::unexpected<Error>(end.error());
  const std::uint64_t items_at = (table.items + 1) * sizeof(std::uint32_t);
  if (*begin > *end || *end > table.bytes - items_at) return damaged("it points behind its end");
  return file_.read(table.at + items_at + *begin, *end - *begin);
}

Result<void> IndexReader::add_bucket(std::uint64_t bucket, std::vector<std::uint32_t>& rules) {
  const auto bytes = item(layout_.buckets, bucket);
  if (!bytes) return tl::unexpected<Error>(bytes.error());
  const std::size_t count = bytes->size() / sizeof(std::uint32_t);
  // A rule stands in many buckets, but once in one; more is no index of ours, and would make the
  // work unbounded.
  if (count > layout_.rules.items) return damaged("the counts do not fit");
  for (std::size_t i = 0; i < count; ++i) {
    std::uint32_t number = 0;
    std::memcpy(&number, bytes->data() + i * sizeof number, sizeof number);
    if (number >= layout_.rules.items) return damaged("there is no such rule");
    rules.push_back(number);
  }
  // A rule of many keys may have been found many times.
  if (rules.size() > 2 * layout_.rules.items) sort_once(rules);
  return {};
}

// In the order that counts, each once. A container that a rule selects has one of the rule's keys.
Result<std::vector<std::uint32_t>> IndexReader::candidates(const Identity& identity) {
  const std::uint64_t keyed = layout_.buckets.items - 1;
  std::vector<std::uint64_t> buckets = {keyed};
  for (std::size_t field = 0; field < kFields; ++field) {
    const std::string_view text = text_of(identity, field);
    buckets.push_back(key_of(field, KeyKind::kExact, text) & (keyed - 1));
    for (std::size_t bytes = 1; bytes <= std::min(text.size(), kMaxPrefixBytes); ++bytes) {
      if (!is_key(layout_.prefix_lengths.at(field), bytes)) continue;
      buckets.push_back(key_of(field, KeyKind::kPrefix, text.substr(0, bytes)) & (keyed - 1));
    }
  }
  sort_once(buckets);
  std::vector<std::uint32_t> rules;
  for (const std::uint64_t bucket : buckets) {
    if (auto added = add_bucket(bucket, rules); !added) return tl::unexpected<Error>(added.error());
  }
  sort_once(rules);
  return rules;
}

Result<Rule> IndexReader::rule(std::uint64_t number) {
  return parse<Rule>(item(layout_.rules, number));
}

Result<Governing> IndexReader::find_governing(const Identity& identity) {
  const auto numbers = candidates(identity);
  if (!numbers) return tl::unexpected<Error>(numbers.error());
  std::optional<std::uint32_t> left_alone_by;
  for (const std::uint32_t number : *numbers) {
    const auto packed = item(layout_.selectors, number);
    if (!packed) return tl::unexpected<Error>(packed.error());
    ++looked_at_;
    const auto reached = reach(*packed, identity);
    if (!reached) return damaged("a selector cannot be read");
    if (*reached == Reach::kLeftAlone && !left_alone_by) left_alone_by = number;
    if (*reached != Reach::kSelected) continue;
    auto found = rule(number);
    if (!found) return tl::unexpected<Error>(found.error());
    return Governing{std::move(*found), std::nullopt, ""};
  }
  Governing out;
  if (!left_alone_by) return out;
  auto found = rule(*left_alone_by);
  if (!found) return tl::unexpected<Error>(found.error());
  const auto packed = item(layout_.selectors, *left_alone_by);
  const auto selector = packed ? unpack(*packed) : std::nullopt;
  if (!selector) return damaged("a selector cannot be read");
  out.left_alone_by = std::move(*found);
  out.exempt_as = exemption(*selector, identity);
  return out;
}

Result<std::optional<ProfileRef>> IndexReader::find_profile(const std::string& name) {
  std::uint64_t low = 0;
  std::uint64_t high = layout_.profiles.items;
  while (low < high) {
    const std::uint64_t middle = low + (high - low) / 2;
    auto profile = parse<ProfileRef>(item(layout_.profiles, middle));
    if (!profile) return tl::unexpected<Error>(profile.error());
    if (profile->name() == name) return std::optional<ProfileRef>(std::move(*profile));
    (profile->name() < name ? low : high) = profile->name() < name ? middle + 1 : middle;
  }
  return std::optional<ProfileRef>();
}

Result<CompiledIndex> IndexReader::read_all() {
  if (auto all = file_.read(0, file_.size()); !all) return tl::unexpected<Error>(all.error());
  CompiledIndex out = head_;
  for (std::uint64_t i = 0; i < layout_.rules.items; ++i) {
    auto read = rule(i);
    if (!read) return tl::unexpected<Error>(read.error());
    const auto packed = item(layout_.selectors, i);
    auto selector = packed ? unpack(*packed) : std::nullopt;
    if (!selector) return damaged("a selector cannot be read");
    *read->mutable_selector() = std::move(*selector);
    *out.add_rules() = std::move(*read);
  }
  for (std::uint64_t i = 0; i < layout_.profiles.items; ++i) {
    auto profile = parse<ProfileRef>(item(layout_.profiles, i));
    if (!profile) return tl::unexpected<Error>(profile.error());
    *out.add_profiles() = std::move(*profile);
  }
  return out;
}

}  // namespace ward::filter
