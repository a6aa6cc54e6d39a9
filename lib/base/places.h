// SPDX-License-Identifier: Apache-2.0
// Where Ward keeps things on a node. Every directory has an environment override, so that several
// nodes (tests, mostly) can live on one machine; the shim inherits the overrides from containerd's
// environment.
#pragma once

#include <filesystem>

namespace ward {

struct Places {
  std::filesystem::path
      config;  // WARD_CONFIG_DIR, /etc/ward: profiles/*.yaml, policies/*.yaml, wardd.yaml
  std::filesystem::path
      state;  // WARD_STATE_DIR, /var/lib/ward: compiled/, ward.db, spool/, evidence/
  std::filesystem::path run;  // WARD_RUN_DIR, /run/ward: node.sock (ttrpc), api/api.sock (gRPC),
                              // shims' private directories

  [[nodiscard]] std::filesystem::path profiles() const { return config / "profiles"; }
  [[nodiscard]] std::filesystem::path policies() const { return config / "policies"; }
  [[nodiscard]] std::filesystem::path compiled() const { return state / "compiled"; }
  // The number is that of the content (profiles/filter/index_layout.h): a shim lives as long as its
  // pod, so what an older one reads, under the older name, stays beside it.
  [[nodiscard]] std::filesystem::path compiled_index() const { return compiled() / "index.2"; }
  [[nodiscard]] std::filesystem::path compiled_index_of_before() const {
    return compiled() / "index";
  }
  [[nodiscard]] std::filesystem::path spool() const { return state / "spool"; }
  [[nodiscard]] std::filesystem::path evidence() const { return state / "evidence"; }
  [[nodiscard]] std::filesystem::path database() const { return state / "ward.db"; }
  [[nodiscard]] std::filesystem::path node_socket() const { return run / "node.sock"; }
  [[nodiscard]] std::filesystem::path api_socket() const { return run / "api" / "api.sock"; }
};

Places places_from_environment();

}  // namespace ward
