// Package internal_test holds the direction of imports, so that it cannot drift.
package internal_test

import (
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const module = "galaxy/rtmanager/internal/"

// allowed lists, for each package below internal, the packages that its product code
// may import. A path that ends with a slash means every package below it.
var allowed = map[string][]string{
	"domain/runtime":    {},
	"domain/secret":     {"domain/runtime"},
	"domain/operation":  {"domain/runtime", "domain/node", "domain/secret"},
	"domain/container":  {"domain/runtime"},
	"domain/node":       {"domain/runtime", "domain/container"},
	"domain/drift":      {"domain/"},
	"domain/gameevent":  {"domain/runtime"},
	"domain/access":     {"domain/runtime", "domain/node"},
	"domain/audit":      {},
	"domain/membership": {},
	"domain/rollout":    {"domain/runtime"},

	"domain/federation": {},

	"atomicfile": {},
	"clientaddr": {},
	"broadcast":  {},
	"diskspace":  {},
	"dotenv":     {},
	"filelock":   {},
	"lifetime":   {},
	"loopback":   {},
	"planted":    {},
	"securefile": {},
	"statedir":   {},
	"tlsfiles":   {},
	"wait":       {},

	"labelselector": {"domain/runtime"},

	"ports": {"domain/"},
	"api":   {"domain/", "ports"},
	"etcd":  {"domain/"},

	"daemonhttp":   {"domain/access", "domain/audit", "api"},
	"envelope":     {"domain/secret"},
	"gameports":    {"domain/runtime"},
	"imageversion": {},

	"etcdauth":    {"etcd"},
	"etcdcluster": {"domain/", "etcd"},
	"etcdconn":    {"etcd"},
	"pki":         {"domain/access", "domain/node"},

	"adapters/etcdstore":                      {"domain/", "ports", "etcd", "adapters/etcdstore/internal/"},
	"adapters/etcdstore/internal/layout":      {"domain/", "ports", "etcd"},
	"adapters/etcdstore/internal/batcher":     {"etcd"},
	"adapters/etcdstore/internal/fsck":        {"domain/", "ports", "etcd", "adapters/etcdstore/internal/layout"},
	"adapters/etcdstore/internal/readindex":   {"etcd"},
	"adapters/etcdstore/internal/recordcache": {"domain/", "ports", "etcd", "adapters/etcdstore/internal/layout"},
	"adapters/etcdstore/internal/watchconn":   {"domain/", "etcd"},

	"adapters/etcdmembers":                     {"domain/", "ports", "etcd"},
	"adapters/etcdaccess":                      {"domain/", "ports", "etcd"},
	"adapters/etcdsecrets":                     {"domain/", "ports", "etcd"},
	"adapters/etcdreservations":                {"domain/", "ports", "etcd"},
	"adapters/etcdrollouts":                    {"domain/", "ports", "etcd", "wait"},
	"adapters/keysource":                       {},
	"adapters/embeddedetcd":                    {"etcd", "etcdcluster"},
	"adapters/httpclient":                      {"domain/", "ports", "api"},
	"adapters/federation":                      {"domain/", "api", "daemonhttp"},
	"adapters/healthprobe":                     {"domain/container", "domain/operation", "ports"},
	"adapters/oidc":                            {"domain/", "ports", "adapters/oidc/internal/"},
	"adapters/oidc/login":                      {"adapters/oidc/internal/"},
	"adapters/oidc/internal/issuer":            {},
	"adapters/archive":                         {"domain/", "ports"},
	"adapters/auditlog":                        {"domain/", "ports"},
	"adapters/processengine":                   {"domain/", "ports", "gameports", "adapters/processengine/internal/"},
	"adapters/processengine/internal/cgroups":  {},
	"adapters/processengine/internal/gamelog":  {},
	"adapters/processengine/internal/livepipe": {},
	"adapters/processengine/internal/procfs":   {},
	"adapters/processengine/internal/shim":     {"adapters/processengine/internal/gamelog", "adapters/processengine/internal/procfs"},
	"adapters/dockerengine":                    {"domain/", "ports", "gameports"},

	"adapters/httpserver":                       {"domain/", "ports", "api", "labelselector", "adapters/httpserver/"},
	"adapters/httpserver/peer":                  {"domain/", "ports", "api", "daemonhttp"},
	"adapters/httpserver/internal/eventdetails": {"domain/", "ports"},
	"adapters/httpserver/internal/listcache":    {"adapters/httpserver/internal/etag", "domain/", "ports"},
	"adapters/httpserver/internal/execstream":   {"domain/", "api", "adapters/httpserver/internal/problem"},
	"adapters/httpserver/internal/callers":      {"domain/", "api", "adapters/httpserver/internal/problem"},
	"adapters/httpserver/internal/connlimit":    {"api", "adapters/httpserver/internal/problem"},
	"adapters/httpserver/internal/compress":     {},
	"adapters/httpserver/internal/etag":         {},
	"adapters/httpserver/internal/pagetoken":    {"ports"},
	"adapters/httpserver/internal/problem":      {"domain/", "api"},
	"adapters/httpserver/internal/request":      {"domain/", "api", "adapters/httpserver/internal/problem"},
	"adapters/httpserver/internal/stream":       {"domain/", "ports", "api"},
	"adapters/httpserver/internal/limit":        {},
	"adapters/httpserver/internal/logstream":    {"domain/container"},
	"adapters/httpserver/gen":                   {"domain/", "api", "adapters/httpserver", "adapters/httpserver/internal/request", "adapters/httpserver/internal/callers"},

	"services/lifecycle": {"domain/", "ports", "gameports", "imageversion"},
	"services/explain":   {"domain/", "ports"},
	"services/placement": {"domain/", "ports", "gameports"},
	"services/inspect":   {"domain/", "ports"},
	"services/auth":      {"domain/", "ports"},
	"services/deletion":  {"domain/", "ports"},
	"services/cluster":   {"domain/", "ports", "services/placement"},
	"services/secrets":   {"domain/", "ports", "envelope"},
	"services/regions":   {"domain/", "ports"},
	"services/rollouts":  {"domain/", "ports", "imageversion"},

	"services/maintenance": {"domain/", "ports"},
	"workers/drain":        {"domain/", "ports", "services/maintenance", "services/placement"},

	"workers/reconcile": {"domain/", "ports"},
	"workers/events":    {"domain/", "ports"},
	"workers/health":    {"domain/", "ports"},
	"workers/cleanup":   {"domain/", "ports"},
	"workers/failover":  {"domain/", "ports", "services/placement"},
	"workers/rollout":   {"domain/", "ports"},

	"config":                      {"domain/federation", "domain/node", "domain/operation", "gameports", "logging"},
	"logging":                     {},
	"bench":                       {"domain/", "ports", "api", "adapters/etcdstore", "adapters/httpserver", "bench/cputime"},
	"bench/cputime":               {},
	"bench/child":                 {},
	"bench/members":               {"bench/child", "bench/cputime"},
	"bench/peerclient":            {"bench", "bench/child"},
	"storecheck":                  {"etcd", "adapters/etcdmembers", "adapters/etcdreservations", "adapters/etcdrollouts", "adapters/etcdaccess", "adapters/etcdsecrets"},
	"backup":                      {"ports", "adapters/embeddedetcd", "adapters/etcdmembers", "adapters/etcdstore", "etcdcluster", "storecheck"},
	"daemon/internal/gamemetrics": {"domain/", "ports", "workers/reconcile"},

	"daemon": {"daemon/internal/", "domain/", "ports", "api", "adapters/", "services/", "workers/", "backup", "config", "etcdauth", "etcdcluster", "etcdconn", "gameports", "logging", "storecheck"},
	"cli":    {"domain/", "ports", "adapters/httpclient", "adapters/oidc/login", "api", "backup", "bench", "config", "daemon", "envelope", "etcdauth", "logging", "pki", "securitycheck", "cli/internal/"},

	"securitycheck": {"domain/access", "domain/node", "config"},

	"gendocs": {"cli", "config"},

	"cli/internal/maintenancecmd": {"domain/", "ports", "adapters/httpclient", "api", "cli/internal/exit", "cli/internal/host", "cli/internal/output", "cli/internal/render"},

	"cli/internal/rolloutcmd": {"domain/", "ports", "adapters/httpclient", "api", "cli/internal/exit", "cli/internal/host", "cli/internal/flags", "cli/internal/output", "cli/internal/render"},

	"cli/internal/clientconfig": {},
	"cli/internal/clustercmd":   {"domain/", "ports", "adapters/httpclient", "api", "pki", "cli/internal/exit", "cli/internal/output", "cli/internal/render"},
	"cli/internal/gamecmd":      {"domain/", "ports", "adapters/httpclient", "api", "cli/internal/condition", "cli/internal/exit", "cli/internal/flags", "cli/internal/output", "cli/internal/render", "cli/internal/selection"},
	"cli/internal/render":       {"domain/"},
	"cli/internal/host":         {"adapters/httpclient", "cli/internal/output"},
	"cli/internal/accesscmd":    {"domain/", "adapters/httpclient", "cli/internal/exit", "cli/internal/host", "cli/internal/render"},
	"cli/internal/certcmd":      {"domain/", "pki", "cli/internal/exit", "cli/internal/host", "cli/internal/output", "cli/internal/render"},
	"cli/internal/storecmd":     {"backup", "bench", "bench/members", "bench/peerclient", "config", "daemon", "etcdauth", "cli/internal/exit", "cli/internal/host", "cli/internal/output", "cli/internal/progress", "cli/internal/render"},
	"cli/internal/complete":     {"domain/", "ports", "adapters/httpclient", "api", "cli/internal/render"},
	"cli/internal/condition":    {"domain/", "ports"},
	"cli/internal/expression":   {"domain/", "cli/internal/render"},
	"cli/internal/output":       {"domain/", "ports", "api", "bench", "cli/internal/expression", "cli/internal/render"},
	"cli/internal/progress":     {"domain/", "bench", "cli/internal/render", "cli/internal/output"},
	"cli/internal/manifest":     {"domain/", "ports", "api"},
	"cli/internal/flags":        {"domain/", "ports", "labelselector", "cli/internal/render"},
	"cli/internal/selection":    {"domain/", "ports", "cli/internal/flags"},
	"cli/internal/exit":         {"domain/", "ports", "config", "cli/internal/render", "cli/internal/output"},

	"testkit/memstore":        {"domain/", "ports"},
	"testkit/memsecrets":      {"domain/", "ports"},
	"testkit/fakeengine":      {"domain/", "ports", "gameports"},
	"testkit/storetest":       {"domain/", "ports", "labelselector"},
	"testkit/intenttest":      {"domain/", "ports", "testkit/storetest"},
	"testkit/modeltest":       {"domain/", "ports", "labelselector", "testkit/storetest"},
	"testkit/enginetest":      {"domain/", "ports", "gameports", "testkit/tcptest"},
	"testkit/servertest":      {"domain/", "ports", "adapters/httpserver", "adapters/httpserver/", "services/cluster"},
	"testkit/certtest":        {},
	"testkit/hostile":         {},
	"testkit/faultkv":         {},
	"testkit/oidctest":        {},
	"testkit/audittest":       {"domain/audit"},
	"testkit/logtest":         {},
	"testkit/tcptest":         {},
	"testkit/dockertest":      {},
	"testkit/etcdtest":        {"adapters/embeddedetcd", "testkit/tcptest"},
	"testkit/netns":           {},
	"testkit/network":         {},
	"testkit/regions":         {"testkit/netns", "testkit/network", "testkit/tcptest"},
	"testkit/operator":        {"testkit/regions"},
	"testkit/chaos/recording": {},
	"testkit/chaos/traffic":   {"domain/", "ports", "wait", "testkit/chaos/recording"},
	"testkit/chaos":           {"domain/", "ports", "planted", "testkit/operator", "testkit/dockertest", "testkit/netns", "testkit/network", "testkit/chaos/", "testkit/regions", "testkit/faultkv", "adapters/etcdstore", "wait"},
	"testkit/nodetest":        {"domain/", "ports", "adapters/", "services/", "workers/", "testkit/"},
	"testkit/chaos/report":    {"testkit/chaos/recording", "testkit/chaos/check"},
	"testkit/chaos/command":   {"testkit/chaos", "testkit/chaos/recording", "testkit/chaos/report", "testkit/chaos/check", "testkit/chaos/traffic", "wait"},
	"testkit/chaos/cmd/chaos": {"testkit/chaos/command"},
	"testkit/chaos/check":     {"testkit/chaos/recording", "testkit/chaos/check/internal/"},

	"testkit/chaos/check/internal/truth": {"testkit/chaos/recording"},
	"testkit/chaos/check/internal/order": {},
}

// leaves are small packages that import at most other leaves of the module; every package may use them.
var leaves = []string{"atomicfile", "broadcast", "clientaddr", "diskspace", "dotenv", "filelock", "lifetime", "loopback", "planted", "securefile", "statedir", "tlsfiles", "wait"}

func TestImportsPointOneWay(t *testing.T) {
	out, err := exec.Command("go", "list", "-f", `{{.ImportPath}}: {{join .Imports " "}}`, "./...").Output()
	require.NoError(t, err, "list the packages")

	for line := range strings.Lines(string(out)) {
		path, imports, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ": ") // imports is empty for a package without any
		pkg, isInternal := strings.CutPrefix(path, module)
		if !isInternal {
			continue // the package of this test
		}
		targets, isListed := allowed[pkg]
		require.True(t, isListed, "package %s has no row in the table of allowed imports", path)
		for _, imported := range strings.Fields(imports) {
			target, internal := strings.CutPrefix(imported, module)
			require.True(t, !internal || permits(leaves, target) || permits(targets, target), "%s must not import %s", pkg, target)
		}
	}
}

// layers lists the layers from the bottom to the top. A package may import its own layer
// and the layers below it.
var layers = []string{"domain", "ports", "services", "workers", "daemon", "cli"}

func TestTableAllowsNoImportOfAHigherLayer(t *testing.T) {
	layerOf := func(pkg string) int {
		first, _, _ := strings.Cut(pkg, "/")
		return slices.Index(layers, first)
	}
	for pkg, targets := range allowed {
		for _, target := range targets {
			if layerOf(pkg) >= 0 {
				require.LessOrEqual(t, layerOf(target), layerOf(pkg), "%s must not import %s", pkg, target)
			}
			if adapter, isAdapter := adapterOf(pkg); isAdapter {
				other, _ := adapterOf(target)
				require.Contains(t, []string{"", adapter}, other, "%s must not import another adapter", pkg)
				require.Less(t, layerOf(target), slices.Index(layers, "services"), "%s must not import %s", pkg, target)
			}
		}
	}
}

// adapterOf returns the name of the adapter that a package belongs to.
func adapterOf(pkg string) (name string, isAdapter bool) {
	rest, isAdapter := strings.CutPrefix(pkg, "adapters/")
	name, _, _ = strings.Cut(rest, "/")
	if !isAdapter {
		return "", false
	}
	return name, true
}

func TestOnlyTestsImportTestkit(t *testing.T) {
	out, err := exec.Command("go", "list", "-f", `{{.ImportPath}}: {{join .Imports " "}}`, "./...", "../cmd/...").Output()
	require.NoError(t, err, "list the packages")
	for line := range strings.Lines(string(out)) {
		path, imports, _ := strings.Cut(strings.TrimSpace(line), ": ")
		if !strings.HasPrefix(path, module+"testkit/") {
			require.NotContains(t, imports, module+"testkit", "product code of %s imports test support", path)
		}
	}
}

func TestDomainImportsTheStandardLibraryOnly(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", "-f", `{{if not .Standard}}{{.ImportPath}}{{end}}`, "./domain/...").Output()
	require.NoError(t, err, "list what the domain depends on")
	for line := range strings.Lines(string(out)) {
		require.True(t, strings.HasPrefix(line, module+"domain/"), "the domain must not depend on %s", strings.TrimSpace(line))
	}
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
