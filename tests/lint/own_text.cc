// SPDX-License-Identifier: Apache-2.0
// A plugin for clang-tidy: the other checks see only the declarations of this repository. Without
// it they walk through every header of the system for each source, which takes longer than
// everything else, only for their findings to be thrown away. It reports nothing itself. Built and
// loaded by tidy.py.
#include <clang-tidy/ClangTidyCheck.h>
#include <clang-tidy/ClangTidyModule.h>
#include <clang-tidy/ClangTidyModuleRegistry.h>
#include <clang/AST/ASTContext.h>
#include <clang/ASTMatchers/ASTMatchFinder.h>

namespace {

class OwnText : public clang::tidy::ClangTidyCheck {
 public:
  using ClangTidyCheck::ClangTidyCheck;

  void registerMatchers(clang::ast_matchers::MatchFinder* finder) override {
    finder->addMatcher(clang::ast_matchers::translationUnitDecl().bind("all"), this);
  }

  // The translation unit is the first thing that is matched; what is visited below it is decided
  // after that.
  void check(const clang::ast_matchers::MatchFinder::MatchResult& result) override {
    const auto* all = result.Nodes.getNodeAs<clang::TranslationUnitDecl>("all");
    std::vector<clang::Decl*> own;
    for (clang::Decl* declaration : all->decls()) {
      const clang::SourceLocation place =
          result.SourceManager->getExpansionLoc(declaration->getLocation());
      if (place.isValid() && !result.SourceManager->isInSystemHeader(place))
        own.push_back(declaration);
    }
    result.Context->setTraversalScope(own);
  }
};

class Module : public clang::tidy::ClangTidyModule {
 public:
  void addCheckFactories(clang::tidy::ClangTidyCheckFactories& factories) override {
    factories.registerCheck<OwnText>("ward-own-text");
  }
};

const clang::tidy::ClangTidyModuleRegistry::Add<Module> kRegistered("ward",
                                                                    "What Ward's lint needs");

}  // namespace
