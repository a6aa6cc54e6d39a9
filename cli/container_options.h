// SPDX-License-Identifier: Apache-2.0
// What every verb that does something to one container takes: which one, in which of containerd's
// namespaces, and why.
#pragma once

#include <memory>
#include <string>

#include "cli/app.h"
#include "cli/options.h"

namespace ward::cli {

template <typename Request>
void add_container_options(CLI::App& verb, const std::shared_ptr<Request>& request) {
  add_value(
      verb, "container", [request](const std::string& id) { request->set_container(id); },
      "its id, namespace/id, or as `ward ps` shows it")
      ->required()
      ->type_name(kContainerValue);
  add_value(
      verb, "-n,--namespace",
      [request](const std::string& ns) { request->set_containerd_namespace(ns); },
      "containerd namespace, where two have the id");
  add_value(
      verb, "--reason", [request](const std::string& why) { request->set_reason(why); },
      "goes into the journal");
}

}  // namespace ward::cli
