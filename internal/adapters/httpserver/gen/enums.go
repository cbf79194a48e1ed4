package main

import (
	"context"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// enums finds the constants of string types in the source of this module.
type enums struct {
	values map[string]map[string][]string // by import path and type
}

// of returns the values of the constants of a type, in the order of declaration; nil for
// a type that is not a string type of this module.
func (e *enums) of(t reflect.Type) ([]string, error) {
	if t.Kind() != reflect.String || !strings.Contains(t.PkgPath(), "/") {
		return nil, nil
	}
	if e.values == nil {
		e.values = map[string]map[string][]string{}
	}
	constants, isLoaded := e.values[t.PkgPath()]
	if !isLoaded {
		var err error
		if constants, err = stringConstants(t.PkgPath()); err != nil {
			return nil, err
		}
		e.values[t.PkgPath()] = constants
	}
	return constants[t.Name()], nil
}

// stringConstants returns the values of the string constants of a package, by type.
func stringConstants(path string) (map[string][]string, error) {
	dir, err := exec.CommandContext(context.Background(), "go", "list", "-f", "{{.Dir}}", path).Output()
	if err != nil {
		return nil, fmt.Errorf("find package %s: %w", path, err)
	}
	files, err := filepath.Glob(filepath.Join(strings.TrimSpace(string(dir)), "*.go"))
	if err != nil {
		return nil, err
	}
	slices.Sort(files)
	constants := map[string][]string{}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}
		for _, decl := range parsed.Decls {
			if group, ok := decl.(*ast.GenDecl); ok && group.Tok == token.CONST {
				addConstants(constants, group)
			}
		}
	}
	return constants, nil
}

// addConstants adds the constants of a group that have a named type and a literal value.
func addConstants(constants map[string][]string, group *ast.GenDecl) {
	for _, spec := range group.Specs {
		value := spec.(*ast.ValueSpec)
		name, isNamed := value.Type.(*ast.Ident)
		if !isNamed {
			continue
		}
		for _, expression := range value.Values {
			if literal, ok := expression.(*ast.BasicLit); ok && literal.Kind == token.STRING {
				if text, err := strconv.Unquote(literal.Value); err == nil {
					constants[name.Name] = append(constants[name.Name], text)
				}
			}
		}
	}
}
