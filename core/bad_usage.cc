#include "core/bad_usage.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstddef>

#include "absl/strings/match.h"
#include "absl/strings/str_join.h"
#include "core/config/suggest.h"
#include "core/strings.h"

namespace pillion {
namespace {

std::vector<const CLI::App*> CommandsOf(const CLI::App& app) {
  return app.get_subcommands([](const CLI::App*) { return true; });
}

// The first of `words` from `begin` that looks like an option and is none; "": there is none.
std::string UnknownOption(const CLI::App& app, const std::vector<std::string>& words,
                          size_t begin) {
  for (size_t i = begin; i < words.size() && words[i] != "--"; ++i) {
    const std::string name = words[i].substr(0, words[i].find('='));
    if (absl::StartsWith(name, "-") && app.get_option_no_throw(StrCat("-", name)) != nullptr) {
      return StrCat("there is no option '", name, "'; write -", name);
    }
    if (!absl::StartsWith(name, "--") || app.get_option_no_throw(name) != nullptr) continue;
    std::vector<std::string> names;
    for (const CLI::Option* option : app.get_options()) {
      for (const std::string& known : option->get_lnames()) names.push_back(StrCat("--", known));
    }
    return StrCat("there is no option '", name, "'",
                  config::DidYouMean(name, {names.begin(), names.end()}));
  }
  return "";
}

}  // namespace

std::string BadUsage(const CLI::App& app, const CLI::Error& error,
                     const std::vector<std::string>& words) {
  const CLI::App* command = &app;
  std::string path = app.get_name();
  size_t next = 0;
  for (auto known = CommandsOf(app); !known.empty(); known = CommandsOf(*command)) {
    std::vector<std::string> names;
    for (const CLI::App* one : known) names.push_back(one->get_name());
    const std::string choices = absl::StrJoin(names, ", ");
    if (next == words.size() || absl::StartsWith(words[next], "-")) {
      return StrCat("which command? '", path, "' is followed by one of ", choices);
    }
    const auto named = std::find(names.begin(), names.end(), words[next]);
    if (named == names.end()) {
      const std::string near = config::DidYouMean(words[next], {names.begin(), names.end()});
      return StrCat("there is no command '", path, " ", words[next], "'",
                    near.empty() ? "; there are " : near + " There are ", choices);
    }
    command = known[static_cast<size_t>(named - names.begin())];
    StrAppend(&path, " ", words[next++]);
  }
  const std::string unknown = UnknownOption(*command, words, next);
  return unknown.empty() ? error.what() : unknown;
}

}  // namespace pillion
