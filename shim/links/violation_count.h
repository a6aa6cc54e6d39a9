// SPDX-License-Identifier: Apache-2.0
// How many violations this shim has seen, written down before each is answered (lib/spool/tally),
// so that wardd knows the number however the shim ends: what neither the journal nor a spool has of
// them is lost, and counted (I4).
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "lib/spool/room.h"
#include "lib/spool/tally.h"
#include "ward/node/v1/types.pb.h"

namespace ward::shim::links {

// Who owns the room in the spool directory that violations take. A workload is here what has the
// same namespaces, image and profile, as for evidence: a name may change with every restart.
SpoolOwner spool_owner(const node::v1::Identity& who, const std::string& profile);

class ViolationCount {
 public:
  // <directory>/<unique_name>.tally, made at the first violation.
  ViolationCount(std::filesystem::path directory, std::string unique_name);

  void add(const node::v1::Identity& who, const std::string& profile);
  [[nodiscard]] std::uint64_t seen() const { return seen_; }

  // At an orderly end: `lost` of them are in no spool and not in the journal. `journal_knows` some:
  // then the file stays for wardd, which closes the account. `perhaps_told`: the journal may have
  // some of the lost ones too, so that only wardd can say how many are lost.
  void end(std::uint64_t lost, bool journal_knows, bool perhaps_told);

 private:
  void make();

  std::filesystem::path directory_;
  std::string file_name_;
  std::optional<Tally> tally_;
  std::uint64_t seen_ = 0;
  std::string about_;  // of the first container that violated, for people
  std::string key_;
  std::chrono::steady_clock::time_point make_again_;
};

}  // namespace ward::shim::links
