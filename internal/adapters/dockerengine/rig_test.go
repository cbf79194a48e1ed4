package dockerengine_test

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/moby/moby/client"
	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/adapters/dockerengine"
	"galaxy/rtmanager/internal/domain/container"
)

// patience is how long a test waits for what must come.
const patience = 30 * time.Second

// machineEngine is the Docker Engine of this machine, and what the tests of this
// package have put there.
type machineEngine struct {
	once sync.Once
	err  error
	api  *client.Client
	// run is a word of this run of the tests, in all names.
	run    string
	binary []byte

	mu     sync.Mutex
	images []string // guarded by mu
}

var machine = &machineEngine{run: strings.ToLower(rand.Text()[:10])}

// open returns the machine's engine. Where there is none, the test is skipped
// with the reason; RTMANAGER_REQUIRE_DOCKER=1 makes that a failure.
func (r *machineEngine) open(t *testing.T) *client.Client {
	t.Helper()
	r.once.Do(r.connect)
	if r.err == nil {
		return r.api
	}
	if os.Getenv("RTMANAGER_REQUIRE_DOCKER") == "1" {
		require.NoError(t, r.err, "RTMANAGER_REQUIRE_DOCKER=1 asks for a Docker Engine")
	}
	t.Skip("NOT TESTED against a Docker Engine: ", r.err)
	return nil
}

func (r *machineEngine) connect() {
	r.api, r.err = client.New(client.FromEnv)
	if r.err != nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if _, err := r.api.Ping(ctx, client.PingOptions{NegotiateAPIVersion: true}); err != nil {
		r.err = fmt.Errorf("no Docker Engine at %s: %w", r.api.DaemonHost(), err)
		return
	}
	r.binary, r.err = buildGame(ctx)
	for _, version := range []string{"1.0.0", "1.0.1"} {
		if r.err == nil {
			r.err = r.importImage(ctx, r.image(version), r.binary, "/game")
		}
	}
}

// buildGame builds a static binary, which needs nothing else in its image.
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

// image is the reference of the game's image of that version.
func (r *machineEngine) image(version string) string {
	return "rtmanager-test-" + r.run + ":" + version
}

// importImage makes an image of nothing but one program, by the name of entrypoint.
func (r *machineEngine) importImage(ctx context.Context, ref string, binary []byte, entrypoint string) error {
	var archive bytes.Buffer
	w := tar.NewWriter(&archive)
	header := &tar.Header{Name: "game", Mode: 0o755, Size: int64(len(binary)), Typeflag: tar.TypeReg}
	if err := w.WriteHeader(header); err != nil {
		return err
	}
	_, err := w.Write(binary)
	if err := errors.Join(err, w.Close()); err != nil {
		return err
	}
	r.remember(ref)
	name, tag, _ := strings.Cut(ref, ":")
	imported, err := r.api.ImageImport(ctx, client.ImageImportSource{Source: &archive, SourceName: "-"}, name,
		client.ImageImportOptions{Tag: tag, Changes: []string{`ENTRYPOINT ["` + entrypoint + `"]`}})
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, imported)
	return errors.Join(err, imported.Close())
}

// remember notes an image to be removed at the end.
func (r *machineEngine) remember(ref string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.images = append(r.images, ref)
}

// close removes the images; each test has removed its containers.
func (r *machineEngine) close() error {
	if r.api == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for _, ref := range slices.Backward(r.images) { // what was made of another goes first
		// One that a test has not come to make is not there.
		_, _ = r.api.ImageRemove(ctx, ref, client.ImageRemoveOptions{Force: true})
	}
	return r.api.Close()
}

// rig is an Engine of a store of its own on the machine's engine.
type rig struct {
	*dockerengine.Engine
	api   *client.Client
	store string
}

// newRig opens an Engine that change may have configured, and removes its
// containers when the test ends.
func newRig(t *testing.T, change func(*dockerengine.Config)) *rig {
	t.Helper()
	api := machine.open(t)
	store := "store-" + strings.ToLower(rand.Text()[:10])
	cfg := dockerengine.Config{Store: store, Region: "eu", Node: "n1"}
	if change != nil {
		change(&cfg)
	}
	engine, err := dockerengine.Open(t.Context(), cfg)
	require.NoError(t, err)
	t.Cleanup(func() {
		require.NoError(t, engine.Close())
		sweep(t, api, store)
	})
	return &rig{Engine: engine, api: api, store: store}
}

// sweep removes every container that names the store.
func sweep(t *testing.T, api *client.Client, store string) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	left, err := api.ContainerList(ctx, client.ContainerListOptions{
		All: true, Filters: client.Filters{}.Add("label", "io.galaxy.rtmanager.store="+store),
	})
	require.NoError(t, err)
	for _, c := range left.Items {
		_, err := api.ContainerRemove(ctx, c.ID, client.ContainerRemoveOptions{Force: true, RemoveVolumes: true})
		require.NoError(t, err)
	}
}

// spec is a container of the game by an operation of its own.
func (r *rig) spec(game string) container.Spec {
	return container.Spec{
		Name: r.store + "-" + game + "-1",
		Labels: container.Labels{
			Store: r.store, GameID: game, Region: "eu", Node: "n1", Image: machine.image("1.0.0"), Generation: 1, OperationID: "op-" + game,
		},
		Env: map[string]string{},
	}
}

// create makes a container of the game.
func (r *rig) create(t *testing.T, spec container.Spec) container.Container {
	t.Helper()
	made, err := r.Create(t.Context(), spec)
	require.NoError(t, err)
	return made
}

// run makes a container and starts it.
func (r *rig) run(t *testing.T, spec container.Spec) container.Container {
	t.Helper()
	made := r.create(t, spec)
	require.NoError(t, r.Start(t.Context(), made.ID))
	return r.inspect(t, made.ID)
}

func (r *rig) inspect(t *testing.T, id string) container.Container {
	t.Helper()
	found, err := r.Inspect(t.Context(), id)
	require.NoError(t, err)
	return found
}

// awaitExit waits until the container has exited by itself.
func (r *rig) awaitExit(t *testing.T, id string) container.Container {
	t.Helper()
	var found container.Container
	require.Eventually(t, func() bool {
		found = r.inspect(t, id)
		return found.State == container.StateExited
	}, patience, 20*time.Millisecond, "the container exits")
	return found
}

// contextOf outlives the test, for what has to be done after it.
func contextOf(t *testing.T) context.Context { return context.WithoutCancel(t.Context()) }
