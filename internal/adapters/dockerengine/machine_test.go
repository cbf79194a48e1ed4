package dockerengine_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/moby/moby/client"

	"galaxy/rtmanager/internal/testkit/dockertest"
)

// waitTimeout is how long a test waits for a condition.
const waitTimeout = 30 * time.Second

// testMachine is the Docker Engine of this machine, and the images that the tests of this
// package create there.
type testMachine struct {
	once sync.Once
	err  error
	api  *client.Client
	// runID is part of all names that this run of the tests creates.
	runID  string
	binary []byte

	mu     sync.Mutex
	images []string // guarded by mu
}

var machine = &testMachine{runID: strings.ToLower(rand.Text()[:10])}

// open returns a client of the machine's engine. It skips the test in short mode, and
// without an engine, as dockertest.SkipOnError does.
func (m *testMachine) open(t *testing.T) *client.Client {
	t.Helper()
	if testing.Short() {
		t.Skip("needs a Docker Engine")
	}
	m.once.Do(m.connect)
	dockertest.SkipOnError(t, m.err)
	return m.api
}

// connect connects to the engine and imports the images of the game.
func (m *testMachine) connect() {
	ctx, cancel := context.WithTimeout(context.Background(), waitTimeout)
	defer cancel()
	if m.api, m.err = dockertest.Connect(ctx); m.err != nil {
		return
	}
	m.binary, m.err = buildGame(ctx)
	for _, version := range []string{"1.0.0", "1.0.1"} {
		if m.err == nil {
			m.err = m.importImage(ctx, m.image(version), m.binary, "/game")
		}
	}
}

// buildGame builds a static binary, the only file of its image.
func buildGame(ctx context.Context) ([]byte, error) {
	dir, err := os.MkdirTemp("", "game")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	name := filepath.Join(dir, "game")
	build := exec.CommandContext(ctx, "go", "build", "-o", name, "./testdata/game")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("build the game: %w: %s", err, out)
	}
	return os.ReadFile(name)
}

// image returns the reference of the game's image of the version.
func (m *testMachine) image(version string) string {
	return "rtmanager-test-" + m.runID + ":" + version
}

// importImage creates an image that contains only the program, with the entrypoint. close
// removes it.
func (m *testMachine) importImage(ctx context.Context, ref string, program []byte, entrypoint string) error {
	m.removeAtEnd(ref)
	return dockertest.Import(ctx, m.api, dockertest.Image{Ref: ref, Program: program, Entrypoint: []string{entrypoint}})
}

// removeAtEnd registers an image that close removes.
func (m *testMachine) removeAtEnd(ref string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.images = append(m.images, ref)
}

// close removes the images. Each test has removed its containers.
func (m *testMachine) close() error {
	if m.api == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), waitTimeout)
	defer cancel()
	for _, ref := range slices.Backward(m.images) { // an image goes before the one it was created from
		// An image does not exist if its test has failed before.
		_, _ = m.api.ImageRemove(ctx, ref, client.ImageRemoveOptions{Force: true})
	}
	return m.api.Close()
}
