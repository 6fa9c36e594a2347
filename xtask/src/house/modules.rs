//! The modules of a crate, and what each imports from the others.
//!
//! An import is a `use`, or a path in code that leads to another file. `pub use` alone is none: it
//! says under which name something is found. Code under `#[cfg(test)]` is left out, and so is what
//! is written in the arguments of macros, because they have a grammar of their own.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Error, Result};
use syn::visit::{self, Visit};
use syn::{
    Attribute, Expr, ExprCall, ExprPath, ItemFn, ItemImpl, ItemMod, ItemUse, Meta, UseTree,
    Visibility,
};

/// Names that lead to something, from the crate's first file on.
type Names = Vec<String>;

/// Re-exports that are followed; no name is found over more.
const MAX_REEXPORTS: u8 = 16;

/// A module: a file, or a part of one.
#[derive(Debug)]
struct Module {
    names: Names,
    file: PathBuf,
    /// What a name in it leads to, where that is somewhere else.
    uses: BTreeMap<String, Names>,
    imports: Vec<Names>,
}

/// The modules of a crate.
#[derive(Debug, Default)]
pub(super) struct Modules(Vec<Module>);

/// Whether a file is the first of a library or a program.
pub(super) fn is_crate(path: &Path) -> bool {
    path.ends_with("src/lib.rs") || path.ends_with("src/main.rs")
}

impl Modules {
    /// Reads the crate that begins with this file.
    ///
    /// # Errors
    ///
    /// Where a file cannot be read, with its path.
    pub(super) fn read(first: &Path) -> Result<Self> {
        let mut modules = Self::default();
        modules.read_file(Names::new(), first)?;
        Ok(modules)
    }

    /// Each import: the file that imports, and the one that defines what it imports.
    pub(super) fn imports(&self) -> impl Iterator<Item = (&Path, &Path)> {
        self.0.iter().flat_map(|module| {
            let files = module.imports.iter().flat_map(|names| self.files(names, 0));
            let from = module.file.as_path();
            files.filter(move |to| *to != from).map(move |to| (from, to))
        })
    }

    /// The file that defines something; several where a feature chooses one of them.
    fn files(&self, names: &[String], reexports: u8) -> Vec<&Path> {
        let is_module = |len: &usize| self.0.iter().any(|module| module.names == names[..*len]);
        let len = (0..=names.len()).rev().find(is_module).unwrap_or_default();
        let (path, rest) = names.split_at(len);
        let found = self.0.iter().filter(|module| module.names == path);
        found
            .flat_map(|module| match rest.split_first() {
                Some((name, rest)) if reexports < MAX_REEXPORTS => match module.uses.get(name) {
                    Some(used) => self.files(&[used, rest].concat(), reexports + 1),
                    None => vec![module.file.as_path()],
                },
                _ => vec![module.file.as_path()],
            })
            .collect()
    }

    fn read_file(&mut self, names: Names, file: &Path) -> Result<()> {
        let text = fs::read_to_string(file).with_context(|| file.display().to_string())?;
        let parsed = syn::parse_file(&text).with_context(|| file.display().to_string())?;
        let mut folder = file.with_file_name("");
        if !is_crate(file) && !file.ends_with("mod.rs") {
            folder = file.with_extension("");
        }
        let module =
            Module { names, file: file.to_owned(), uses: BTreeMap::new(), imports: vec![] };
        let mut reader = Reader { modules: self, module, folder, failed: None };
        reader.visit_file(&parsed);
        let Reader { module, failed, .. } = reader;
        self.0.push(module);
        failed.map_or(Ok(()), Err)
    }
}

/// Goes through a module.
struct Reader<'m> {
    modules: &'m mut Modules,
    module: Module,
    /// Where the files of its modules are.
    folder: PathBuf,
    failed: Option<Error>,
}

impl Reader<'_> {
    /// Names as they are written in this module, from the crate on. What another crate defines
    /// leads to nothing in this one, so that it counts as defined here.
    fn absolute(&self, written: &[String]) -> Names {
        let mut names = self.module.names.clone();
        let mut rest = written;
        while let Some((first, others)) = rest.split_first() {
            match first.as_str() {
                "crate" => names.clear(),
                "super" => drop(names.pop()),
                "self" => {}
                _ => break,
            }
            rest = others;
        }
        names.extend_from_slice(rest);
        names
    }

    fn import(&mut self, path: &syn::Path) {
        let written: Names = path.segments.iter().map(|part| part.ident.to_string()).collect();
        let names = self.absolute(&written);
        self.module.imports.push(names);
    }

    /// What a `use` brings, and under which names.
    fn bring(&mut self, before: &[String], tree: &UseTree, is_import: bool) {
        let with = |name: &syn::Ident| [before, &[name.to_string()]].concat();
        let (name, written) = match tree {
            UseTree::Path(path) => return self.bring(&with(&path.ident), &path.tree, is_import),
            UseTree::Group(group) => {
                return group.items.iter().for_each(|tree| self.bring(before, tree, is_import));
            }
            UseTree::Name(name) if name.ident == "self" => {
                (before.last().cloned(), before.to_vec())
            }
            UseTree::Name(name) => (Some(name.ident.to_string()), with(&name.ident)),
            UseTree::Rename(name) => (Some(name.rename.to_string()), with(&name.ident)),
            UseTree::Glob(_) => (None, before.to_vec()),
        };
        let names = self.absolute(&written);
        if is_import {
            self.module.imports.push(names.clone());
        }
        self.module.uses.extend(name.map(|name| (name, names)));
    }
}

impl<'ast> Visit<'ast> for Reader<'_> {
    fn visit_item_mod(&mut self, item: &'ast ItemMod) {
        if is_test(&item.attrs) {
            return;
        }
        let name = item.ident.to_string();
        let names = [self.module.names.as_slice(), std::slice::from_ref(&name)].concat();
        if item.content.is_none() {
            let file = named_path(&item.attrs).map_or_else(
                || self.folder.join(format!("{name}.rs")),
                |path| self.module.file.with_file_name(path),
            );
            let file = if file.exists() { file } else { self.folder.join(&name).join("mod.rs") };
            let read = self.modules.read_file(names, &file);
            self.failed = self.failed.take().or(read.err());
            return;
        }
        let file = self.module.file.clone();
        let inner = Module { names, file, uses: BTreeMap::new(), imports: Vec::new() };
        let outer = std::mem::replace(&mut self.module, inner);
        self.folder.push(&name);
        visit::visit_item_mod(self, item);
        self.folder.pop();
        self.modules.0.push(std::mem::replace(&mut self.module, outer));
    }

    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        if !is_test(&item.attrs) {
            let is_import = matches!(item.vis, Visibility::Inherited);
            self.bring(&[], &item.tree, is_import);
        }
    }

    fn visit_item_fn(&mut self, item: &'ast ItemFn) {
        if !is_test(&item.attrs) {
            visit::visit_item_fn(self, item);
        }
    }

    fn visit_item_impl(&mut self, item: &'ast ItemImpl) {
        if !is_test(&item.attrs) {
            visit::visit_item_impl(self, item);
        }
    }

    fn visit_expr_call(&mut self, call: &'ast ExprCall) {
        if let Expr::Path(function) = &*call.func {
            self.import(&function.path);
        }
        visit::visit_expr_call(self, call);
    }

    fn visit_expr_path(&mut self, expression: &'ast ExprPath) {
        // A name alone is a variable as a rule, and a type or a constant if it begins like one.
        let name = expression.path.get_ident().map(ToString::to_string).unwrap_or_default();
        if !name.starts_with(char::is_lowercase) {
            visit::visit_expr_path(self, expression);
        }
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        self.import(path);
        visit::visit_path(self, path);
    }

    fn visit_attribute(&mut self, _: &'ast Attribute) {}

    /// `pub(crate)` has a path in it.
    fn visit_visibility(&mut self, _: &'ast Visibility) {}
}

/// Whether something is compiled for tests only.
fn is_test(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| match &attribute.meta {
        Meta::List(list) if list.path.is_ident("cfg") => list.tokens.to_string() == "test",
        meta => meta.path().is_ident("test"),
    })
}

/// The file that a module names itself.
fn named_path(attributes: &[Attribute]) -> Option<String> {
    attributes.iter().find_map(|attribute| match &attribute.meta {
        Meta::NameValue(pair) if pair.path.is_ident("path") => match &pair.value {
            Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(text), .. }) => Some(text.value()),
            _ => None,
        },
        _ => None,
    })
}
