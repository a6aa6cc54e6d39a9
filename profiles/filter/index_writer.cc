// SPDX-License-Identifier: Apache-2.0
#include "profiles/filter/index_writer.h"

#include <bit>
#include <optional>
#include <set>
#include <unordered_map>
#include <vector>

#include "profiles/filter/block_file.h"
#include "profiles/filter/index_layout.h"
#include "profiles/filter/limits.h"
#include "profiles/filter/selector.h"

namespace ward::filter {
namespace {

using node::v1::Rule;

// A rule of more names than this is asked always: its keys would take more room than they spare.
constexpr int kMaxKeysOfARule = 256;

struct Key {
  std::uint64_t hash = 0;
  std::size_t prefix_bytes = 0;  // 0: of the whole text
};

// One of these keys every text has that the list selects; none: it may select any.
std::vector<Key> keys_of(const Globs& globs, std::size_t field) {
  std::vector<Key> keys;
  if (globs.size() > kMaxKeysOfARule) return keys;
  for (const std::string& glob : globs) {
    const std::size_t star = glob.find('*');
    if (star == 0) return {};
    if (star == std::string::npos) {
      keys.push_back({key_of(field, KeyKind::kExact, glob), 0});
    } else {
      const std::size_t bytes = std::min(star, kMaxPrefixBytes);
      keys.push_back(
          {key_of(field, KeyKind::kPrefix, std::string_view(glob).substr(0, bytes)), bytes});
    }
  }
  return keys;
}

struct Keyed {
  std::size_t field = 0;
  std::vector<Key> keys;
};

// For each rule the list that fewest other rules share a key of: one that all have in common tells
// nothing apart.
std::vector<Keyed> choose_keys(const node::v1::CompiledIndex& index) {
  std::unordered_map<std::uint64_t, std::uint32_t> frequency;
  for (const Rule& rule : index.rules()) {
    for (std::size_t field = 0; field < kFields; ++field) {
      for (const Key& key : keys_of(globs_of(rule.selector(), field), field)) ++frequency[key.hash];
    }
  }
  std::vector<Keyed> chosen;
  chosen.reserve(static_cast<std::size_t>(index.rules_size()));
  for (const Rule& rule : index.rules()) {
    Keyed best;
    std::optional<std::uint32_t> best_crowd;
    for (std::size_t field = 0; field < kFields; ++field) {
      auto keys = keys_of(globs_of(rule.selector(), field), field);
      std::uint32_t crowd = 0;
      for (const Key& key : keys) crowd = std::max(crowd, frequency[key.hash]);
      if (keys.empty() || (best_crowd && crowd >= *best_crowd)) continue;
      best_crowd = crowd;
      best = {field, std::move(keys)};
    }
    chosen.push_back(std::move(best));
  }
  return chosen;
}

void put_number(std::string& out, std::size_t value) {
  const auto number = static_cast<std::uint32_t>(value);
  out.append(reinterpret_cast<const char*>(&number), sizeof number);
}

TablePlace put_table(std::string& out, const std::vector<std::string>& items) {
  TablePlace place{out.size(), 0, items.size()};
  std::size_t offset = 0;
  put_number(out, offset);
  for (const std::string& item : items) put_number(out, offset += item.size());
  for (const std::string& item : items) out += item;
  place.bytes = out.size() - place.at;
  return place;
}

std::vector<std::string> fill_buckets(const std::vector<Keyed>& chosen, Layout& layout) {
  std::size_t entries = 0;
  for (const Keyed& keyed : chosen) entries += keyed.keys.size();
  const std::size_t count = std::bit_ceil(entries + 1);
  std::vector<std::string> buckets(count + 1);
  for (std::size_t rule = 0; rule < chosen.size(); ++rule) {
    if (chosen[rule].keys.empty()) put_number(buckets[count], rule);
    std::set<std::uint64_t> there;  // two keys of a rule may meet in one bucket
    for (const Key& key : chosen[rule].keys) {
      const std::uint64_t bucket = key.hash & (count - 1);
      if (there.insert(bucket).second) put_number(buckets[bucket], rule);
      if (key.prefix_bytes == 0) continue;
      auto& byte = layout.prefix_lengths.at(chosen[rule].field).at(key.prefix_bytes / 8);
      byte = static_cast<std::uint8_t>(byte | 1U << key.prefix_bytes % 8);
    }
  }
  return buckets;
}

}  // namespace

Result<std::string> write_index(const node::v1::CompiledIndex& index) {
  const auto too_large = [](const std::string& what, std::size_t most) {
    return fail(Code::kResourceExhausted,
                what + ", and shims read " + std::to_string(most) + " at most");
  };
  if (static_cast<std::size_t>(index.rules_size()) > kMaxRules) {
    return too_large("there are " + std::to_string(index.rules_size()) + " rules", kMaxRules);
  }
  node::v1::CompiledIndex head;
  head.set_format(kFormat);
  head.set_generation(index.generation());
  if (index.has_settings()) *head.mutable_settings() = index.settings();
  if (index.has_baseline()) *head.mutable_baseline() = index.baseline();
  *head.mutable_records() = index.records();
  *head.mutable_calmed() = index.calmed();
  Layout layout;
  std::string content(sizeof layout, '\0');
  layout.head_at = content.size();
  content += head.SerializeAsString();
  layout.head_bytes = content.size() - layout.head_at;
  std::vector<std::string> items;
  for (const Rule& rule : index.rules()) items.push_back(pack(rule.selector()));
  layout.selectors = put_table(content, items);
  layout.buckets = put_table(content, fill_buckets(choose_keys(index), layout));
  items.clear();
  for (const Rule& rule : index.rules()) {
    Rule bare = rule;
    bare.clear_selector();
    items.push_back(bare.SerializeAsString());
  }
  layout.rules = put_table(content, items);
  items.clear();
  for (const auto& profile : index.profiles()) items.push_back(profile.SerializeAsString());
  layout.profiles = put_table(content, items);
  content.replace(0, sizeof layout, reinterpret_cast<const char*>(&layout), sizeof layout);
  std::string file = seal_blocks(kIndexMagic, content);
  if (file.size() > kMaxIndexBytes) {
    return too_large("the index has " + std::to_string(file.size()) + " bytes", kMaxIndexBytes);
  }
  return file;
}

}  // namespace ward::filter
