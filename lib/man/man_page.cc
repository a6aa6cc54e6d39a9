// SPDX-License-Identifier: Apache-2.0
#include "lib/man/man_page.h"

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <sstream>

#include "lib/base/clock.h"
#include "lib/base/rfc3339.h"

namespace ward::man {
namespace {

constexpr std::size_t kWidth = 76;  // of a line of the source; roff fills lines by itself

// A character that roff would read as something else, as what it is.
std::string escaped(char c) {
  switch (c) {
    case '\\': return "\\e";
    case '-': return "\\-";  // '-' alone may become a hyphen, which nobody can paste
    case '\'': return "\\(aq";
    case '`': return "\\(ga";
    case '^': return "\\(ha";
    case '~': return "\\(ti";
    default: return std::string(1, c);
  }
}

std::string literal(std::string_view text) {
  std::string out;
  for (const char c : text) out += escaped(c);
  return out;
}

std::string bold(std::string_view text) { return "\\fB" + literal(text) + "\\fR"; }
std::string italic(std::string_view text) { return "\\fI" + literal(text) + "\\fR"; }

// A line that began with one of these would be a request.
std::string guarded(std::string line) {
  if (!line.empty() && (line.front() == '.' || line.front() == '\'')) line.insert(0, "\\&");
  return line + "\n";
}

std::string wrapped(const std::string& text) {
  std::istringstream words(text);
  std::string out;
  std::string line;
  for (std::string word; words >> word;) {
    if (!line.empty() && line.size() + 1 + word.size() > kWidth)
      out += guarded(std::exchange(line, ""));
    line += (line.empty() ? "" : " ") + word;
  }
  return line.empty() ? out : out + guarded(line);
}

std::string set_as_typed(std::string_view text) {
  std::string out;
  bool typed = false;
  for (const char c : text) {
    if (c == '`') {
      typed = !typed;
      out += typed ? "\\fB" : "\\fR";
    } else {
      out += typed || c != '-' ? escaped(c) : "-";
    }
  }
  return out;
}

std::string paragraph(std::string_view text) { return wrapped(set_as_typed(text)); }

std::string item(const std::string& term, const std::string& text) {
  return ".TP\n" + guarded(term) + (text.empty() ? "\\&\n" : text);
}

// "PART(1)" as the name of another page.
std::string reference(const std::string& page) {
  const std::size_t open = page.find('(');
  return bold(page.substr(0, open)) + page.substr(std::min(open, page.size()));
}

std::vector<const CLI::App*> verbs_of(const CLI::App& app) {
  return app.get_subcommands(
      [](const CLI::App* verb) { return !verb->get_name().empty() && !verb->get_group().empty(); });
}

std::string words_of(const CLI::App& app) {
  return (app.get_parent() == nullptr ? "" : words_of(*app.get_parent()) + " ") + app.get_name();
}

// CLI11 says "TEXT:{text,json}" and "INT:INT in [3 - 9]".
struct Value {
  std::string shown;
  std::string limits;
};

Value value_of(const CLI::Option& option) {
  if (option.get_items_expected_max() == 0) return {};
  const std::string type = option.get_type_name();
  const std::size_t colon = type.find(':');
  Value value;
  if (colon == std::string::npos) {
    value.shown = italic(type);
  } else if (const std::string rest = type.substr(colon + 1); rest.front() == '{') {
    std::istringstream words(rest.substr(1, rest.find('}') - 1));
    for (std::string word; std::getline(words, word, ',');)
      value.shown += (value.shown.empty() ? "" : "|") + bold(word);
  } else {
    value.shown = italic(type.substr(0, colon));
    value.limits = rest;
  }
  if (option.get_expected_max() > 1) value.shown += " ...";
  return value;
}

std::string names_of(const CLI::Option& option) {
  std::string names;
  const auto add = [&names](const std::string& name) {
    names += (names.empty() ? "" : ", ") + bold(name);
  };
  for (const std::string& name : option.get_snames()) add("-" + name);
  for (const std::string& name : option.get_lnames()) add("--" + name);
  return names;
}

std::vector<const CLI::Option*> options_of(const CLI::App& app, bool positional) {
  return app.get_options([positional](const CLI::Option* option) {
    return option->get_positional() == positional && !option->get_group().empty();
  });
}

std::string described(const CLI::Option& option) {
  std::string text = paragraph(option.get_description());
  const auto add = [&text](const std::string& more) { text += paragraph("(" + more + ")"); };
  if (const std::string limits = value_of(option).limits; !limits.empty()) add(limits);
  if (!option.get_default_str().empty()) add("default: " + option.get_default_str());
  if (!option.get_envname().empty()) add("environment: " + option.get_envname());
  return text;
}

// --help is said once on a page.
std::string items_of(const CLI::App& app, bool help = true) {
  std::string out;
  for (const CLI::Option* value : options_of(app, true))
    out += item(value_of(*value).shown, described(*value));
  for (const CLI::Option* option : options_of(app, false)) {
    if (option == app.get_help_ptr() && !help) continue;
    const std::string value = value_of(*option).shown;
    out += item(names_of(*option) + (value.empty() ? "" : " " + value), described(*option));
  }
  return out;
}

std::string synopsis_of(const CLI::App& app) {
  std::string line = bold(words_of(app));
  for (const CLI::Option* option : options_of(app, false)) {
    if (option == app.get_help_ptr() || option == app.get_version_ptr()) continue;
    const std::string value = value_of(*option).shown;
    const auto& short_names = option->get_snames();
    const std::string name =
        short_names.empty() ? "--" + option->get_lnames().front() : "-" + short_names.front();
    line += " [" + bold(name) + (value.empty() ? "" : " " + value) + "]";
  }
  for (const CLI::Option* value : options_of(app, true)) {
    const std::string shown = value_of(*value).shown;
    line += value->get_required() ? " " + shown : " [" + shown + "]";
  }
  return wrapped(line);
}

std::vector<std::string> examples_of(const CLI::App& app) {
  std::istringstream footer(app.get_footer());
  std::vector<std::string> found;
  std::string line;
  if (!std::getline(footer, line) || line != kExamples) return found;
  while (std::getline(footer, line)) {
    if (line.rfind("  ", 0) == 0) found.push_back(line.substr(2));
  }
  return found;
}

std::string lines_of(const std::vector<std::string>& examples) {
  std::string out = ".EX\n";
  for (const std::string& line : examples) out += guarded(literal(line));
  return out + ".EE\n";
}

// A verb that has verbs below it is described by them.
void add_leaves(const CLI::App& app, std::vector<const CLI::App*>& leaves) {
  const auto verbs = verbs_of(app);
  for (const CLI::App* verb : verbs) add_leaves(*verb, leaves);
  if (verbs.empty()) leaves.push_back(&app);
}

std::string described_verb(const CLI::App& verb) {
  std::string out = ".SS " + literal(words_of(verb)) + "\n" + paragraph(verb.get_description()) +
                    items_of(verb, false);
  if (const auto examples = examples_of(verb); !examples.empty())
    out += ".PP\nExamples:\n.PP\n" + lines_of(examples);
  return out;
}

std::string body_of(const CLI::App& app, const Page& page) {
  std::string out = ".SH SYNOPSIS\n";
  std::vector<const CLI::App*> leaves;
  add_leaves(app, leaves);
  if (page.own_pages) {
    out += synopsis_of(app) + wrapped(italic("VERB") + " ...");
  } else {
    for (const CLI::App* leaf : leaves)
      out += (leaf == leaves.front() ? "" : ".br\n") + synopsis_of(*leaf);
  }
  out += ".SH DESCRIPTION\n" + paragraph(app.get_description());
  if (page.own_pages) {
    out += ".SH VERBS\n";
    for (const CLI::App* verb : verbs_of(app)) {
      out += item(reference(page.name + "-" + verb->get_name() + "(1)"),
                  paragraph(verb->get_description()));
    }
  }
  if (!items_of(app).empty()) out += ".SH OPTIONS\n" + items_of(app);
  if (!page.own_pages && leaves.front() != &app) {
    out += ".SH VERBS\n";
    for (const CLI::App* leaf : leaves) out += described_verb(*leaf);
  }
  return out;
}

std::string upper(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  return text;
}

std::string section_text(const Section& section) {
  std::string out = ".SH " + literal(section.title) + "\n" + paragraph(section.text);
  for (const Item& one : section.items) out += item(bold(one.term), paragraph(one.text));
  return out;
}

}  // namespace

std::string page_of(const CLI::App& app, const Page& page, const std::string& date) {
  std::string out = ".TH " + upper(literal(page.name)) + " " + std::to_string(page.section) + " " +
                    date + " \"ward " WARD_VERSION "\"\n";
  out += ".SH NAME\n" + wrapped(literal(page.name) + " \\- " + set_as_typed(page.about));
  out += body_of(app, page);
  if (const auto examples = examples_of(app); !examples.empty())
    out += ".SH EXAMPLES\n" + lines_of(examples);
  for (const Section& section : page.sections) out += section_text(section);
  if (page.see_also.empty()) return out;
  std::string pages;
  for (const std::string& other : page.see_also)
    pages += (pages.empty() ? "" : ", ") + reference(other);
  return out + ".SH SEE ALSO\n" + wrapped(pages);
}

std::string page_date() {
  const char* epoch = std::getenv("SOURCE_DATE_EPOCH");
  const std::int64_t now_ns =
      epoch == nullptr ? wall_ns() : std::strtoll(epoch, nullptr, 10) * 1'000'000'000;
  return format_rfc3339(now_ns).substr(0, std::string_view("2026-11-29").size());
}

}  // namespace ward::man
