// SPDX-License-Identifier: Apache-2.0
// What a person can do to a running container: put it into quarantine, release it from there, kill
// it there, or switch it between supervise and enforce. The shim does it; the journal says who
// asked for what. Core loop only.
#pragma once

#include <functional>
#include <string>

#include "enforcer/journal/journal.h"
#include "enforcer/node_link/container_table.h"
#include "enforcer/node_link/shim_links.h"

namespace ward::enforcer {

enum class ContainerCommandKind { kQuarantine, kRelease, kKill };

struct ContainerCommandRequest {
  ContainerCommandKind kind = ContainerCommandKind::kRelease;
  std::string containerd_namespace;  // empty: whichever has it
  std::string container;             // its id, or a name (container_name.h)
  std::string reason;
};

// `done` gets the container as its shim describes it afterwards. kFailedPrecondition: it is not
// quarantined, for nobody can take back the end of a healthy container; or it has stopped.
// kAlreadyExists: it is to be quarantined, and is.
void command_container(const ContainerCommandRequest& request, ContainerTable& containers,
                       ShimLinks& shims, Journal& journal,
                       std::function<void(Result<ContainerEntry>)> done);

struct ModeRequest {
  std::string containerd_namespace;  // as above
  std::string container;
  node::v1::Mode mode = node::v1::MODE_UNSPECIFIED;
  std::string reason;
};
struct ModeSet {
  ContainerEntry container;
  bool unchanged = false;
};

// Also where it is in that mode already: then nothing is done. kFailedPrecondition: it has no
// filter of Ward, or has ended.
void set_container_mode(const ModeRequest& request, ContainerTable& containers, ShimLinks& shims,
                        std::function<void(Result<ModeSet>)> done);

}  // namespace ward::enforcer
