// Package internal_test holds the direction of imports, so that it cannot drift.
package internal_test

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const module = "galaxy/rtmanager/internal/"

// allowed lists, for each package below internal, the packages that its product code
// may import. A path that ends with a slash means every package below it.
var allowed = map[string][]string{
	"domain/runtime":         {},
	"domain/operation":       {"domain/runtime"},
	"ports":                  {"domain/"},
	"ports/storetest":        {"domain/", "ports", "adapters/memstore"},
	"adapters/memstore":      {"domain/", "ports"},
	"adapters/etcdstore":     {"domain/", "ports"},
	"adapters/embeddedetcd":  {},
	"adapters/restapi/wire":  {"domain/", "ports"},
	"adapters/restapi":       {"domain/", "ports", "adapters/restapi/wire"},
	"adapters/apiclient":     {"domain/", "ports", "adapters/restapi/wire"},
	"adapters/healthprobe":   {},
	"ports/enginetest":       {"domain/", "ports"},
	"adapters/etcdnodes":     {"domain/", "ports"},
	"adapters/processengine": {"domain/", "ports"},
	"adapters/dockerengine":  {"domain/", "ports"},
	"adapters/fakeengine":    {"domain/", "ports"},
	"nodetest":               {"domain/", "ports", "ports/enginetest", "adapters/", "services/", "workers/", "etcdtest"},
	"services/lifecycle":     {"domain/", "ports"},
	"services/drift":         {"domain/", "ports"},
	"services/explain":       {"domain/", "ports"},
	"workers/reconcile":      {"domain/", "ports", "services/drift"},
	"workers/events":         {"ports"},
	"workers/health":         {"domain/", "ports"},
	"workers/cleanup":        {"domain/", "ports"},
	"workers/nodes":          {"domain/", "ports", "services/drift"},
	"config":                 {"logging"},
	"logging":                {},
	"etcdtest":               {"adapters/embeddedetcd"},
	"bench":                  {"domain/", "ports", "adapters/etcdstore"},
	"daemon":                 {"domain/", "ports", "adapters/", "services/", "workers/", "config", "logging"},
	"cli":                    {"domain/", "ports", "adapters/apiclient", "adapters/restapi/wire", "bench", "config", "daemon", "logging"},
}

func TestImportsPointOneWay(t *testing.T) {
	out, err := exec.Command("go", "list", "-f", `{{.ImportPath}}: {{join .Imports " "}}`, "./...").Output()
	require.NoError(t, err, "list the packages")

	for line := range strings.Lines(string(out)) {
		path, imports, _ := strings.Cut(strings.TrimSpace(line), ": ")
		pkg, isInternal := strings.CutPrefix(path, module)
		if !isInternal {
			continue // the package of this test
		}
		targets, isListed := allowed[pkg]
		require.True(t, isListed, "package %s has no row in the table of allowed imports", path)
		for _, imported := range strings.Fields(imports) {
			target, internal := strings.CutPrefix(imported, module)
			require.True(t, !internal || permits(targets, target), "%s must not import %s", pkg, target)
		}
	}
}

func TestDomainImportsTheStandardLibraryOnly(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", "-f", `{{if not .Standard}}{{.ImportPath}}{{end}}`, "./domain/...").Output()
	require.NoError(t, err, "list what the domain depends on")
	require.ElementsMatch(t, []string{module + "domain/runtime", module + "domain/operation"}, strings.Fields(string(out)))
}

// permits reports whether the target is one of the paths or below one that ends with
// a slash.
func permits(paths []string, target string) bool {
	for _, path := range paths {
		if path == target || strings.HasSuffix(path, "/") && strings.HasPrefix(target, path) {
			return true
		}
	}
	return false
}
