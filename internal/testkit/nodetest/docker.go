package nodetest

import (
	"context"
	"crypto/rand"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/moby/moby/client"
	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/testkit/dockertest"
)

// DockerImages builds the images of ImagesDir on this machine's Docker Engine, and
// returns the prefix of their names. It removes them when the test ends. Without a
// Docker Engine it skips the test, as dockertest.Client does.
func DockerImages(t testing.TB) (prefix string) {
	t.Helper()
	api := dockertest.Client(t)
	program, err := os.ReadFile(filepath.Join(ImagesDir, "gameserver", "1.0.0"))
	require.NoError(t, err)
	prefix = "rtmanager-test-" + strings.ToLower(rand.Text()[:10]) + "/"
	for name, entrypoint := range map[string][]string{
		"gameserver:1.0.0": {"/game"}, "gameserver:1.0.1": {"/game"}, "gameserver:2.0.0": {"/game"},
		"broken:1.0.1": {"/game", "--exit-at-start", "7"},
	} {
		t.Cleanup(func() {
			ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), Timeout)
			defer cancel()
			_, err := api.ImageRemove(ctx, prefix+name, client.ImageRemoveOptions{Force: true})
			require.NoError(t, err)
		})
		require.NoError(t, dockertest.Import(t.Context(), api, dockertest.Image{Ref: prefix + name, Program: program, Entrypoint: entrypoint}))
	}
	return prefix
}
