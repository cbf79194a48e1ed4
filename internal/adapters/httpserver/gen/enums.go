package main

import (
	"cmp"
	"go/constant"
	"go/importer"
	"go/token"
	"go/types"
	"reflect"
	"slices"
	"strings"
	"sync"
)

// packages are the type-checked packages of this module, by import path.
type packages struct {
	mu       sync.Mutex // guards loaded
	importer types.Importer
	loaded   map[string]*types.Package
}

var loader = sync.OnceValue(func() *packages {
	return &packages{importer: importer.ForCompiler(token.NewFileSet(), "source", nil), loaded: map[string]*types.Package{}}
})

func (p *packages) load(path string) (*types.Package, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if pkg := p.loaded[path]; pkg != nil {
		return pkg, nil
	}
	pkg, err := p.importer.Import(path)
	p.loaded[path] = pkg
	return pkg, err
}

// constantsOf returns the values of the constants of a string type of this module, in the
// order of declaration.
func constantsOf(t reflect.Type) ([]string, error) {
	if t.Kind() != reflect.String || !strings.Contains(t.PkgPath(), "/") {
		return nil, nil
	}
	pkg, err := loader().load(t.PkgPath())
	if err != nil {
		return nil, err
	}
	named := pkg.Scope().Lookup(t.Name())
	var constants []*types.Const
	for _, name := range pkg.Scope().Names() {
		if c, ok := pkg.Scope().Lookup(name).(*types.Const); ok && types.Identical(c.Type(), named.Type()) {
			constants = append(constants, c)
		}
	}
	slices.SortFunc(constants, func(a, b *types.Const) int { return cmp.Compare(a.Pos(), b.Pos()) })
	var values []string
	for _, c := range constants {
		values = append(values, constant.StringVal(c.Val()))
	}
	return values, nil
}
