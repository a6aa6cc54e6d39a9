// SPDX-License-Identifier: Apache-2.0
// The parts of an incident's page that show what is known of it, in the order of the page.
#pragma once

#include "cli/incident/incident.h"
#include "lib/html/html.h"

namespace ward::cli {

void write_timeline(html::Writer& out, const Incident& incident);
void write_processes(html::Writer& out, const Incident& incident);
void write_call(html::Writer& out, const Incident& incident);
void write_rule(html::Writer& out, const Incident& incident);
void write_container(html::Writer& out, const Incident& incident);
void write_surroundings(html::Writer& out, const Incident& incident);
void write_mapped(html::Writer& out, const Incident& incident);
void write_changed_files(html::Writer& out, const Incident& incident);

}  // namespace ward::cli
