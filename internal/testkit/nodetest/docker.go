package nodetest

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/moby/moby/client"
	"github.com/stretchr/testify/require"
)

// DockerImages builds the images of ImagesDir on this machine's Docker Engine, and
// returns the prefix of their names. It removes them when the test ends. Without a
// Docker Engine it skips the test with the reason; RTMANAGER_REQUIRE_DOCKER=1 makes that
// a failure.
func DockerImages(t testing.TB) (prefix string) {
	t.Helper()
	api := DockerClient(t)
	program, err := os.ReadFile(filepath.Join(ImagesDir, "gameserver", "1.0.0"))
	require.NoError(t, err)
	prefix = "rtmanager-test-" + strings.ToLower(rand.Text()[:10]) + "/"
	for image, entrypoint := range map[string]string{
		"gameserver:1.0.0": `["/game"]`, "gameserver:1.0.1": `["/game"]`, "gameserver:2.0.0": `["/game"]`,
		"broken:1.0.1": `["/game", "--exit-at-start", "7"]`,
	} {
		t.Cleanup(func() {
			ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), Timeout)
			defer cancel()
			_, err := api.ImageRemove(ctx, prefix+image, client.ImageRemoveOptions{Force: true})
			require.NoError(t, err)
		})
		require.NoError(t, importImage(t.Context(), api, prefix+image, program, entrypoint))
	}
	return prefix
}

// DockerClient returns a client of this machine's Docker Engine, as DockerImages does.
func DockerClient(t testing.TB) *client.Client {
	t.Helper()
	api, err := client.New(client.FromEnv)
	if err == nil {
		ctx, cancel := context.WithTimeout(t.Context(), Timeout)
		defer cancel()
		_, err = api.Ping(ctx, client.PingOptions{NegotiateAPIVersion: true})
	}
	if err != nil && os.Getenv("RTMANAGER_REQUIRE_DOCKER") != "1" {
		t.Skip("NOT TESTED against a Docker Engine: ", err)
	}
	require.NoError(t, err, "RTMANAGER_REQUIRE_DOCKER=1 requires a Docker Engine")
	t.Cleanup(func() { require.NoError(t, api.Close()) })
	return api
}

// importImage creates an image that contains only the program.
func importImage(ctx context.Context, api *client.Client, ref string, program []byte, entrypoint string) error {
	var archive bytes.Buffer
	w := tar.NewWriter(&archive)
	err := w.WriteHeader(&tar.Header{Name: "game", Mode: 0o755, Size: int64(len(program)), Typeflag: tar.TypeReg})
	if err == nil {
		_, err = w.Write(program)
	}
	if err := errors.Join(err, w.Close()); err != nil {
		return err
	}
	name, tag, _ := strings.Cut(ref, ":")
	imported, err := api.ImageImport(ctx, client.ImageImportSource{Source: &archive, SourceName: "-"}, name,
		client.ImageImportOptions{Tag: tag, Changes: []string{"ENTRYPOINT " + entrypoint}})
	if err != nil {
		return fmt.Errorf("import %s: %w", ref, err)
	}
	_, err = io.Copy(io.Discard, imported)
	return errors.Join(err, imported.Close())
}
