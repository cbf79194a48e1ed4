package regions

import (
	"bytes"
	"cmp"
	"context"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/planted"
	"galaxy/rtmanager/internal/testkit/netns"
	"galaxy/rtmanager/internal/testkit/network"
)

// binaryVariable is the environment variable that names the rtmanager binary to test. If it
// is not set, the binary is built from this module.
const binaryVariable = "RTMANAGER_TEST_BINARY"

// Daemon is one rtmanager with the process engine. It is not safe for concurrent use. The methods
// that return an error may be called by any goroutine, one at a time; the others fail the
// test and so must be called by its goroutine.
type Daemon struct {
	Client // requests to its API, from its region

	tb      testing.TB
	cluster *Cluster
	region  string
	name    string
	dataDir string
	port    int // of the API; 0 means any
	api     *network.Proxy
	host    *netns.Host // nil if it is on this machine
	process atomic.Pointer[process]
	binary  string // empty means that of this module
	// environment has variables in addition to those of the test.
	environment []string
	// storeFlags returns the flags that select the store.
	storeFlags func() []string
	join       []string // the flags by which an embedded member starts or joins its cluster
}

// binaries are those of this module, in a directory that the tests of a program share. Main
// removes it.
var binaries binaryDir

// binaryDir is a directory of binaries, which is built when a test needs it. It is safe for
// concurrent use.
type binaryDir struct {
	once sync.Once
	path string
	err  error
}

// build returns the directory. It builds the binaries once.
func (b *binaryDir) build() (string, error) {
	b.once.Do(func() {
		if b.path, b.err = os.MkdirTemp("", "regions-"); b.err != nil {
			return
		}
		args := append(append([]string{"build"}, planted.BuildFlags()...), "-o", b.path, "galaxy/rtmanager/cmd/...")
		cmd := exec.CommandContext(context.Background(), "go", args...)
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0") // as releases; images have no libraries
		var out []byte
		if out, b.err = cmd.CombinedOutput(); b.err != nil {
			_, _ = os.Stderr.Write(out)
		}
	})
	return b.path, b.err
}

// remove removes the directory after the last test.
func (b *binaryDir) remove() {
	if b.path != "" {
		_ = os.RemoveAll(b.path)
	}
}

// StartDaemon starts a daemon in the region, which uses the members of all regions, with flags
// in addition to its own, and waits until it is ready.
func (c *Cluster) StartDaemon(region, name string, flags ...string) *Daemon {
	c.tb.Helper()
	d := c.newDaemon(region, name)
	d.storeFlags = func() []string {
		return append([]string{"--etcd-endpoints", strings.Join(c.Endpoints(), ",")}, flags...)
	}
	d.Start()
	return d
}

// newDaemon returns a daemon that is not started, and has no store.
func (c *Cluster) newDaemon(region, name string) *Daemon {
	c.tb.Helper()
	d := &Daemon{tb: c.tb, cluster: c, region: region, name: name, dataDir: c.tb.TempDir(), api: c.Network.Proxy(network.API, region), host: c.addHost("daemon "+region, region)}
	c.tb.Cleanup(d.killGames)
	require.NoError(c.tb, d.addImages())
	return d
}

// addImages adds two versions of the image gameserver.
func (d *Daemon) addImages() error {
	dir, err := binaries.build()
	if err != nil {
		return err
	}
	images := filepath.Join(d.dataDir, "images", "gameserver")
	if err := os.MkdirAll(images, 0o700); err != nil {
		return err
	}
	content, err := os.ReadFile(filepath.Join(dir, "gameserver"))
	if err != nil {
		return err
	}
	for _, version := range []string{"1.0.0", "1.0.1"} {
		if err := os.WriteFile(filepath.Join(images, version), content, 0o700); err != nil {
			return err
		}
	}
	return nil
}

// Start starts the process, which Kill or Stop has ended, and waits until it is ready.
func (d *Daemon) Start() {
	d.tb.Helper()
	d.Begin()
	d.AwaitReady()
}

// Begin starts the process, and does not wait until it is ready.
func (d *Daemon) Begin() {
	d.tb.Helper()
	require.NoError(d.tb, d.begin())
}

func (d *Daemon) begin() error {
	dir, err := binaries.build()
	if err != nil {
		return err
	}
	binary := cmp.Or(d.binary, os.Getenv(binaryVariable), filepath.Join(dir, "rtmanager"))
	arguments := append([]string{
		"serve", "--region", d.region, "--node", d.name, "--engine", "process", "--images-dir", filepath.Join(d.dataDir, "images"),
		"--data-dir", d.dataDir, "--listen", net.JoinHostPort(addrOf(d.host), strconv.Itoa(d.port)), "--advertise", d.api.URL(),
	}, d.storeFlags()...)
	if d.host != nil {
		arguments = append(arguments, "--insecure") // other hosts reach it
	}
	cmd := exec.Command(binary, arguments...) //nolint:gosec,noctx // built above
	cmd.Env = append(os.Environ(), d.environment...)
	started, err := startProcess(d.tb, d.cluster.Network, d.region, d.host, cmd)
	if err == nil {
		d.process.Store(started)
	}
	return err
}

// AwaitReady waits until the daemon is ready.
func (d *Daemon) AwaitReady() {
	d.tb.Helper()
	address, err := d.awaitReady()
	require.NoError(d.tb, err)
	d.Client = newClient(address)
}

// awaitReady returns the URL of the API without a proxy.
func (d *Daemon) awaitReady() (string, error) {
	pairs, err := d.process.Load().pairs("ready")
	if err != nil {
		return "", err
	}
	api, err := url.Parse(pairs["api"])
	if err != nil {
		return "", err
	}
	d.api.SetTarget(api.Host)
	return api.String(), nil
}

// Kill kills the daemon. Its games continue to run.
func (d *Daemon) Kill() { d.process.Load().kill() }

// StableClient returns a client of the API that remains valid when the daemon is restarted.
// It is safe for concurrent use.
func (d *Daemon) StableClient() Client { return newClient(d.api.URL()) }

// LiveContainers returns the ids of the containers on the node that have a process.
func (d *Daemon) LiveContainers() []string {
	var alive []string
	environments := processEnvironments()
	dirs, _ := filepath.Glob(filepath.Join(d.dataDir, "nodes", "*", "*", "containers", "*"))
	for _, dir := range dirs {
		variable := []byte("RTMANAGER_CONTAINER_ID=" + filepath.Base(dir) + "\x00")
		if slices.ContainsFunc(environments, func(environment []byte) bool { return bytes.Contains(environment, variable) }) {
			alive = append(alive, filepath.Base(dir))
		}
	}
	return alive
}

// Suspend stops the process as SIGSTOP does, and Resume continues it.
func (d *Daemon) Suspend() {
	d.tb.Helper()
	require.NoError(d.tb, d.Signal(syscall.SIGSTOP))
}

// Resume continues a suspended daemon.
func (d *Daemon) Resume() {
	d.tb.Helper()
	require.NoError(d.tb, d.Signal(syscall.SIGCONT))
}

// killGames kills the processes of the games. Their directories name them.
func (d *Daemon) killGames() {
	if started := d.process.Load(); started != nil {
		started.kill()
	}
	files, _ := filepath.Glob(filepath.Join(d.dataDir, "nodes", "*", "*", "containers", "*", "process"))
	for _, file := range files {
		killProcessesOf(file)
	}
}
