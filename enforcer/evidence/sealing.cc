// SPDX-License-Identifier: Apache-2.0
#include "enforcer/evidence/sealing.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>

#include "lib/base/log.h"
#include "lib/seal/manifest.h"
#include "lib/seal/verify.h"

namespace ward::enforcer {
namespace {

constexpr std::uint64_t kPassesBetweenTries = 60;

UniqueFd open_bundle(const std::filesystem::path& path) {
  return UniqueFd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
}

bool has(int directory, const char* name) {
  struct stat status {};
  return ::fstatat(directory, name, &status, AT_SYMLINK_NOFOLLOW) == 0;
}

}  // namespace

Result<void> EvidenceSealing::open() {
  if (!key_) {
    auto key = SigningKey::open_or_make(places_.keys(), kSealingKeyName);
    if (!key) return fail_with("the key for evidence", key.error());
    key_.emplace(std::move(*key));
  }
  if (ledger_) return {};
  auto ledger = Ledger::open(places_.ledger(), *key_);
  if (!ledger) return fail_with("the ledger of evidence", ledger.error());
  ledger_.emplace(std::move(*ledger));
  return {};
}

void EvidenceSealing::seal(std::vector<EvidenceBundle> bundles, std::int64_t now_wall_ns) {
  if (++passes_ % kPassesBetweenTries == 0) unsealed_.clear();
  std::erase_if(bundles, [this](const EvidenceBundle& one) {
    return (ledger_ && ledger_->sealed().contains(one.name)) || unsealed_.contains(one.name);
  });
  if (bundles.empty()) return;
  if (auto opened = open(); !opened) {
    if (problem_ != opened.error().message)
      log::warn("evidence is not sealed", {{"error", opened.error().message}});
    problem_ = opened.error().message;
    return;
  }
  problem_.clear();
  std::stable_sort(bundles.begin(), bundles.end(),
                   [](const auto& a, const auto& b) { return a.taken_wall_ns < b.taken_wall_ns; });
  // What has a manifest already has a number, too: nothing else may take that.
  std::stable_partition(bundles.begin(), bundles.end(), [this](const EvidenceBundle& one) {
    const UniqueFd directory = open_bundle(places_.directories() / one.name);
    return directory && has(directory.get(), kManifestName);
  });
  std::size_t done = 0;
  std::uint64_t bytes = 0;
  for (const EvidenceBundle& bundle : bundles) {
    if (ledger_->sealed().contains(bundle.name)) continue;  // before the ledger was open
    if (++done > kMaxSealedOfOnePass || (bytes > 0 && bytes + bundle.bytes > kMaxBytesOfOnePass))
      break;
    bytes += bundle.bytes;
    if (auto sealed = seal_one(bundle, now_wall_ns); !sealed) {
      log::warn("evidence is not sealed",
                {{"directory", bundle.name}, {"error", sealed.error().message}});
      unsealed_[bundle.name] = sealed.error().message;
    }
  }
}

Result<void> EvidenceSealing::seal_one(const EvidenceBundle& bundle, std::int64_t now_wall_ns) {
  const UniqueFd directory = open_bundle(places_.directories() / bundle.name);
  if (!directory) return fail_errno("open '" + bundle.name + "'");
  if (has(directory.get(), kManifestName)) return take_over(bundle, now_wall_ns);
  Manifest manifest;
  manifest.directory = bundle.name;
  manifest.number = ledger_->next_number();
  manifest.sealed_wall_ns = now_wall_ns;
  manifest.complete = has(directory.get(), "SHA256SUMS");
  manifest.previous = ledger_->last_manifest();
  auto digest = seal_directory(directory.get(), std::move(manifest), *key_);
  if (!digest) return tl::unexpected<Error>(digest.error());
  LedgerEntry entry;
  entry.directory = bundle.name;
  entry.manifest_sha256 = *digest;
  entry.wall_ns = now_wall_ns;
  return ledger_->append(std::move(entry), *key_);
}

// wardd ended between the manifest and the ledger's line, which this one is then the next of. What
// does not fit there, somebody else has a hand in.
Result<void> EvidenceSealing::take_over(const EvidenceBundle& bundle, std::int64_t now_wall_ns) {
  const auto verified = verify_directory(places_.directories() / bundle.name, key_->public_key());
  if (!verified) return tl::unexpected<Error>(verified.error());
  const bool fits = verified->findings.empty() && verified->manifest.directory == bundle.name &&
                    verified->manifest.number == ledger_->next_number() &&
                    verified->manifest.previous == ledger_->last_manifest();
  if (!fits)
    return fail(Code::kFailedPrecondition,
                "'" + bundle.name + "' has a manifest that the ledger does not know");
  LedgerEntry entry;
  entry.directory = bundle.name;
  entry.manifest_sha256 = verified->manifest_sha256;
  entry.wall_ns = now_wall_ns;
  return ledger_->append(std::move(entry), *key_);
}

void EvidenceSealing::note_removal(const Removal& removal, std::int64_t now_wall_ns) {
  unsealed_.erase(removal.bundle.name);
  if (!open()) return;  // the next pass says so
  LedgerEntry entry;
  entry.what = LedgerEntry::What::kRemoved;
  entry.directory = removal.bundle.name;
  const auto sealed = ledger_->sealed().find(removal.bundle.name);
  if (sealed != ledger_->sealed().end()) entry.manifest_sha256 = sealed->second;
  entry.why = std::string(describe(removal.why));
  entry.wall_ns = now_wall_ns;
  if (auto noted = ledger_->append(std::move(entry), *key_); !noted)
    log::warn("the removal of evidence is not noted", {{"error", noted.error().message}});
}

std::vector<std::string> EvidenceSealing::problems() const {
  std::vector<std::string> out;
  if (!problem_.empty()) out.push_back("evidence is not sealed: " + problem_);
  if (ledger_ && !ledger_->problems().empty())
    out.push_back("the ledger of evidence: " + ledger_->problems().front());
  if (!unsealed_.empty()) {
    out.push_back("evidence: " + std::to_string(unsealed_.size()) +
                  " bundles are not sealed: " + unsealed_.begin()->second);
  }
  return out;
}

}  // namespace ward::enforcer
