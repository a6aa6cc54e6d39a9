// SPDX-License-Identifier: Apache-2.0
#include "enforcer/sinks/outlet.h"

namespace ward::enforcer::sinks {

std::unique_ptr<Outlet> make_outlet(const profiles::SinkSettings& settings) {
  switch (settings.type) {
    case profiles::SinkType::kWebhook:
    case profiles::SinkType::kFalco:
    case profiles::SinkType::kAlertmanager:
    case profiles::SinkType::kOcsf:
    case profiles::SinkType::kOtlp: return make_http_outlet(settings);
    case profiles::SinkType::kSyslog: return make_syslog_outlet(settings);
    case profiles::SinkType::kFile: return make_file_outlet(settings);
    case profiles::SinkType::kJournald: return make_journald_outlet();
  }
  return nullptr;
}

}  // namespace ward::enforcer::sinks
