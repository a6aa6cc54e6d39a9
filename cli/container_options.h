// SPDX-License-Identifier: Apache-2.0
// What every verb that does something to one container takes: which one, in which of containerd's
// namespaces, and why.
#pragma once

#include <CLI/App.hpp>
#include <memory>
#include <string>

#include "cli/app.h"

namespace ward::cli {

template <typename Request>
void add_container_options(CLI::App& verb, const std::shared_ptr<Request>& request) {
  verb.add_option_function<std::string>(
          "container", [request](const std::string& id) { request->set_container(id); },
          "its id, namespace/id, or as `ward ps` shows it")
      ->required()
      ->type_name(kContainerValue);
  verb.add_option_function<std::string>(
      "-n,--namespace", [request](const std::string& ns) { request->set_containerd_namespace(ns); },
      "containerd namespace, where two have the id");
  verb.add_option_function<std::string>(
      "--reason", [request](const std::string& why) { request->set_reason(why); },
      "goes into the journal");
}

}  // namespace ward::cli
