// SPDX-License-Identifier: Apache-2.0
#include "lib/seal/verify.h"

#include <fcntl.h>

#include <map>

#include "lib/base/digest.h"
#include "lib/base/unique_fd.h"

namespace ward {
namespace {

constexpr std::size_t kMaxManifestBytes = 4U << 20U;

std::map<std::string, Part> by_name(const std::vector<Part>& parts) {
  std::map<std::string, Part> map;
  for (const Part& part : parts) map.emplace(part.name, part);
  return map;
}

void compare(const std::vector<Part>& sealed, const std::vector<Part>& found, Verified& out) {
  const auto wanted = by_name(sealed);
  const auto there = by_name(found);
  for (const auto& [name, part] : wanted) {
    const auto now = there.find(name);
    if (now == there.end()) {
      out.findings.push_back({out.directory, name, "missing"});
    } else if (!(now->second == part)) {
      out.findings.push_back({out.directory, name, "changed"});
    }
  }
  for (const auto& [name, part] : there) {
    if (!wanted.contains(name)) out.findings.push_back({out.directory, name, "added"});
  }
}

}  // namespace

Result<Verified> verify_directory(const std::filesystem::path& path, const PublicKey& key) {
  const UniqueFd directory(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!directory) return fail_errno("open '" + path.string() + "'");
  Verified out;
  out.directory = (path.has_filename() ? path : path.parent_path()).filename().string();
  const auto text = read_file_of(directory.get(), kManifestName, kMaxManifestBytes);
  const auto signature = read_file_of(directory.get(), kSignatureName, kSignatureBytes);
  if (!text && !signature) return out;
  out.sealed = true;
  if (!text) {
    out.findings.push_back({out.directory, kManifestName, "missing"});
    return out;
  }
  out.manifest_sha256 = sha256_hex(*text);
  if (!signature) {
    out.findings.push_back({out.directory, kSignatureName, "missing"});
  } else if (!key.verifies(*text, *signature)) {
    out.findings.push_back(
        {out.directory, kManifestName, "changed, or it was sealed with another key"});
  }
  auto manifest = parse_manifest(*text);
  if (!manifest) {
    out.findings.push_back({out.directory, kManifestName, manifest.error().message});
    return out;
  }
  out.manifest = std::move(*manifest);
  const auto parts = read_parts(directory.get());
  if (!parts) return fail_with("'" + path.string() + "'", parts.error());
  compare(out.manifest.parts, *parts, out);
  return out;
}

std::vector<Finding> verify_chain(const LedgerReading& ledger,
                                  const std::vector<Verified>& directories) {
  std::vector<Finding> findings;
  for (const std::string& problem : ledger.problems) findings.push_back({"", "", problem});
  std::map<std::string, const LedgerEntry*> sealed;  // the last one of each
  std::map<std::string, std::string> previous;       // by manifest: the one sealed before it
  std::map<std::string, bool> removed;
  std::string last;
  bool first = true;
  for (const LedgerEntry& entry : ledger.entries) {
    if (entry.what == LedgerEntry::What::kRemoved) {
      removed[entry.directory] = true;
      continue;
    }
    sealed[entry.directory] = &entry;
    removed[entry.directory] = false;
    // What stood before the first line that is left is not known.
    if (!first || entry.number == 1) previous[entry.manifest_sha256] = last;
    last = entry.manifest_sha256;
    first = false;
  }
  std::map<std::string, const Verified*> present;
  for (const Verified& one : directories) present[one.directory] = &one;
  for (const auto& [name, entry] : sealed) {
    if (!present.contains(name) && !removed[name])
      findings.push_back({name, "", "vanished: nothing says that it was removed"});
  }
  for (const Verified& one : directories) {
    const auto entry = sealed.find(one.directory);
    if (!one.sealed) {
      if (entry != sealed.end())
        findings.push_back({one.directory, kManifestName, "missing, and the ledger names it"});
      continue;
    }
    if (entry == sealed.end()) {
      findings.push_back({one.directory, "", "sealed, and not in the ledger"});
    } else if (entry->second->manifest_sha256 != one.manifest_sha256) {
      findings.push_back({one.directory, kManifestName, "not the one that the ledger names"});
    } else if (const auto before = previous.find(one.manifest_sha256);
               before != previous.end() && before->second != one.manifest.previous) {
      findings.push_back({one.directory, kManifestName,
                          "the chain breaks here: it does not follow the one before it"});
    }
  }
  return findings;
}

}  // namespace ward
