// SPDX-License-Identifier: Apache-2.0
// The decision about one container before runc sees it: who it is, which policy names it, what is
// put in force. Reads compiled files only (I1), rewrites config.json, keeps nothing. Index and
// config.json are the caller's, read once for all of a create. Used by the Guard; the supervisor
// works on what comes out. Blocks for local file I/O only.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "lib/base/places.h"
#include "lib/base/result.h"
#include "lib/oci/bundle.h"
#include "lib/oci/capabilities.h"
#include "profiles/filter/own_numbers.h"
#include "profiles/filter/seccomp_intersect.h"
#include "shim/admission/index.h"
#include "ward/node/v1/compiled.pb.h"
#include "ward/node/v1/types.pb.h"

namespace ward::shim::admission {

struct Request {
  std::string containerd_namespace;
  std::string container_id;
  std::filesystem::path bundle;
  std::filesystem::path
      private_directory;  // 0700 and the caller's; the listener's socket is to be made in it
  std::filesystem::path runtime;  // the binary that will load the filter; empty: a current runc
  std::string layers = {};        // Identity.layers
  // Settings of the last index with rules that this process read: a shim that lives on knows that
  // the node is governed.
  std::optional<node::v1::NodeSettings> seen;
};

// A compiled profile as the supervisor asks it.
struct ProfileInForce {
  std::string name;
  std::uint64_t version = 0;
  std::string digest;  // of the source profile: on every event
  std::string compiled_sha256;
  std::string overlay;  // CompiledProfile.overlay: on every event
  filter::CallTable calls;
  filter::CallTable danger;  // names what is never continued in mode supervise: calls, and calls
                             // with certain arguments
  filter::CallTable
      refused;  // what the own filter may refuse without anybody being told; allows nothing
  filter::CallTable tolerated;           // what is let run and recorded although `calls` has it not
  filter::OwnNumberTable tolerated_own;  // likewise, where a number is the caller's own
  std::uint32_t knows_up_to = 0;         // CompiledProfile.knows_up_to
  std::int64_t boundary_quiet_ms = 0;
  std::int64_t boundary_latest_ms = 0;
  bool no_new_privileges = false;
  bool rehearsal = false;  // CompiledProfile.rehearsal
  oci::CapabilitySet capabilities;
};

struct Admitted {
  node::v1::Mode mode = node::v1::MODE_OFF;
  node::v1::Identity identity;
  std::string policy;         // name of the rule that matched; empty: none did
  std::string workload;       // the name recordings are kept under
  node::v1::Actions actions;  // complete in modes supervise and enforce
  node::v1::Sessions sessions = node::v1::SESSIONS_LAYER;
  std::string sessions_refused_by;  // who says so, for people; empty: nobody
  node::v1::NodeSettings settings;
  bool governed_node =
      false;  // the index had rules, whether or not one of them selects this container
  std::optional<ProfileInForce> profile;  // present exactly in modes supervise and enforce
  // In mode supervise nothing is taken from the container. What enforce would cut, should it be
  // switched:
  oci::CapabilitySet uncut_capabilities;
  oci::CapabilitySet cut_capabilities;  // what mode enforce has taken from it
  bool uncut_privileges = false;        // the profile has noNewPrivileges, the container has not
  filter::OwnFilter
      own;  // the filter the container asked for; own.verdict(nr, args) judges a notified call
  bool no_new_privileges = false;  // the container's own process has it, as the runtime is told
  bool supervised =
      false;  // runc must deliver a listener at listener_path, with nonce as its metadata
  std::filesystem::path listener_path;
  std::string nonce;
  // Mode learn because a person asked for it, and until when.
  std::string record_id;
  std::int64_t record_until_wall_ns = 0;
  std::vector<std::string> notes;  // for people: what was ignored, replaced or lost; escaped
};

// Matches, intersects and rewrites `config`, which was read from <bundle>/config.json, and writes
// it there: what was judged is what the runtime gets. An error refuses the container; the file was
// not changed then, and `config` is not to be used any more. kUnavailable: the node was too busy;
// asked again, with the document read again, it may go well.
Result<Admitted> admit(const Places& places, const Request& request, NodeIndex& index,
                       oci::Config& config);

// The process document of an exec in a container admitted so, whose mode is `now`: in enforce
// capabilities are cut (I2) and no_new_privs is set where the profile has it. Untouched, and not
// even read, in the other modes.
Result<std::string> admit_exec(const Admitted& admitted, node::v1::Mode now,
                               std::string process_json);

// Why the runtime of such a container may have failed, as far as its own filter can be the reason;
// empty where it is not. Reads the bundle where admission had no need to know the filter (mode
// learn): only after a failure.
std::string why_the_runtime_may_fail(const Admitted& admitted, const std::filesystem::path& bundle);

// A compiled profile by the digest in its file name; also for a profile that is widened under a
// running container.
Result<ProfileInForce> read_profile_in_force(const Places& places,
                                             const std::string& compiled_sha256);

// A container that began under `began` when `next`, another version of that profile, comes into
// force: it may do what either allows. What next takes away of the version of its start stays until
// the next start, for the container's kernel filter lets it run already; capabilities and
// noNewPrivileges stay as well. Versions in between leave nothing behind.
ProfileInForce widened(const ProfileInForce& began, ProfileInForce next);

}  // namespace ward::shim::admission
