// Package dockertest connects tests to the Docker Engine of this machine, and imports the
// images that they need.
package dockertest

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/moby/moby/client"
	"github.com/stretchr/testify/require"
)

// connectTimeout bounds the first request to the engine.
const connectTimeout = 30 * time.Second

// Connect returns a client of the machine's Docker Engine, or an error if there is none. The
// caller closes the client.
func Connect(ctx context.Context) (*client.Client, error) {
	api, err := client.New(client.FromEnv)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	if _, err := api.Ping(ctx, client.PingOptions{NegotiateAPIVersion: true}); err != nil {
		return nil, errors.Join(fmt.Errorf("no Docker Engine at %s: %w", api.DaemonHost(), err), api.Close())
	}
	return api, nil
}

// SkipOnError skips the test with the reason if err is not nil. RTMANAGER_REQUIRE_DOCKER=1
// makes that a failure.
func SkipOnError(t testing.TB, err error) {
	t.Helper()
	if err != nil && os.Getenv("RTMANAGER_REQUIRE_DOCKER") != "1" {
		t.Skip("NOT TESTED against a Docker Engine: ", err)
	}
	require.NoError(t, err, "RTMANAGER_REQUIRE_DOCKER=1 requires a Docker Engine")
}

// Client returns a client of the machine's Docker Engine and closes it when the test ends.
// Without an engine it skips the test, as SkipOnError does.
func Client(t testing.TB) *client.Client {
	t.Helper()
	api, err := Connect(t.Context())
	SkipOnError(t, err)
	t.Cleanup(func() { require.NoError(t, api.Close()) })
	return api
}

// Image is an image that contains only the executable /game.
type Image struct {
	Ref        string // NAME:TAG
	Program    []byte // the content of /game
	Entrypoint []string
}

// Import creates the image on the engine. The caller removes it.
func Import(ctx context.Context, api *client.Client, image Image) error {
	archive, err := archiveOf(image.Program)
	if err != nil {
		return err
	}
	entrypoint, err := json.Marshal(image.Entrypoint)
	if err != nil {
		return err
	}
	name, tag, _ := strings.Cut(image.Ref, ":")
	imported, err := api.ImageImport(ctx, client.ImageImportSource{Source: archive, SourceName: "-"}, name,
		client.ImageImportOptions{Tag: tag, Changes: []string{"ENTRYPOINT " + string(entrypoint)}})
	if err != nil {
		return fmt.Errorf("import %s: %w", image.Ref, err)
	}
	_, err = io.Copy(io.Discard, imported)
	return errors.Join(err, imported.Close())
}

// archiveOf returns a tar archive that contains the program as the file game.
func archiveOf(program []byte) (io.Reader, error) {
	var archive bytes.Buffer
	w := tar.NewWriter(&archive)
	err := w.WriteHeader(&tar.Header{Name: "game", Mode: 0o755, Size: int64(len(program)), Typeflag: tar.TypeReg})
	if err == nil {
		_, err = w.Write(program)
	}
	return &archive, errors.Join(err, w.Close())
}
