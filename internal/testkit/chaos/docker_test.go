package chaos_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/moby/moby/client"
	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/testkit/chaos"
	"galaxy/rtmanager/internal/testkit/chaos/recording"
	"galaxy/rtmanager/internal/testkit/dockertest"
	"galaxy/rtmanager/internal/testkit/regions"
)

// The labels of a container, as operators use them.
const (
	labelGame   = "io.galaxy.rtmanager.game-id"
	labelRegion = "io.galaxy.rtmanager.region"
	labelNode   = "io.galaxy.rtmanager.node"
	labelImage  = "io.galaxy.rtmanager.image"
)

// imagePrefix begins the names of the images of all tests, and is followed by the id of the process.
const imagePrefix = "rtmanager-chaos-"

// dockerTimeout bounds a request to the engine.
const dockerTimeout = time.Minute

// dockerEngine is the Docker Engine of this machine as the daemons of a cluster use it: each by a connection of its
// own, which can be disturbed.
type dockerEngine struct {
	api     *client.Client
	images  string                       // the prefix of the images and so of the containers of the cluster
	proxies map[string]*dockertest.Proxy // by region
}

// hasDocker reports whether this machine has an engine.
func hasDocker(ctx context.Context) bool {
	api, err := dockertest.Connect(ctx)
	if err != nil {
		return false
	}
	_ = api.Close()
	return true
}

// startDocker prepares the engine for a cluster. It removes what tests of processes that have ended did not.
func startDocker(t *testing.T) *dockerEngine {
	t.Helper()
	e := &dockerEngine{api: dockertest.Client(t), proxies: map[string]*dockertest.Proxy{}}
	e.images = fmt.Sprintf("%s%d-%d/", imagePrefix, os.Getpid(), rand.Uint32()) //nolint:gosec // unique enough
	require.NoError(t, e.removeLeftovers(t.Context()))
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), dockerTimeout)
		defer cancel()
		require.NoError(t, e.remove(ctx, func(image string) bool { return strings.HasPrefix(image, e.images) }))
	})
	binary, err := regions.Binary()
	require.NoError(t, err)
	program, err := os.ReadFile(filepath.Join(filepath.Dir(binary), "gameserver"))
	require.NoError(t, err)
	for _, image := range []string{"gameserver:1.0.0", "gameserver:1.0.1"} {
		require.NoError(t, dockertest.Import(t.Context(), e.api, dockertest.Image{Ref: e.images + image, Program: program, Entrypoint: []string{"/game"}}))
	}
	for _, region := range regions.Names() {
		proxy, err := dockertest.NewProxy(e.api, t.TempDir())
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, proxy.Close()) })
		e.proxies[region] = proxy
	}
	return e
}

// flags returns those of the daemon of a region.
func (e *dockerEngine) flags(region string) []string {
	return []string{"--engine", "docker", "--docker-host", e.proxies[region].Host}
}

// removeLeftovers removes the containers and images of tests whose process has ended.
func (e *dockerEngine) removeLeftovers(ctx context.Context) error {
	return e.remove(ctx, func(image string) bool {
		rest, isOfTest := strings.CutPrefix(image, imagePrefix)
		pid, _, _ := strings.Cut(rest, "-")
		_, err := os.Stat("/proc/" + pid)
		return isOfTest && errors.Is(err, os.ErrNotExist)
	})
}

// remove removes the images that are selected, and their containers.
func (e *dockerEngine) remove(ctx context.Context, isSelected func(image string) bool) error {
	containers, err := e.api.ContainerList(ctx, client.ContainerListOptions{All: true})
	if err != nil {
		return err
	}
	var failed []error
	for _, c := range containers.Items {
		if isSelected(c.Labels[labelImage]) {
			_, err := e.api.ContainerRemove(ctx, c.ID, client.ContainerRemoveOptions{Force: true, RemoveVolumes: true})
			failed = append(failed, err)
		}
	}
	images, err := e.api.ImageList(ctx, client.ImageListOptions{})
	failed = append(failed, err)
	for _, image := range images.Items {
		for _, name := range image.RepoTags {
			if isSelected(name) {
				_, err := e.api.ImageRemove(ctx, name, client.ImageRemoveOptions{Force: true})
				failed = append(failed, err)
			}
		}
	}
	return errors.Join(failed...)
}

// containers returns the containers of the node that run.
func (e *dockerEngine) containers(ctx context.Context, region, node string) ([]recording.Container, error) {
	ctx, cancel := context.WithTimeout(ctx, dockerTimeout)
	defer cancel()
	filters := client.Filters{}.Add("label", labelRegion+"="+region, labelNode+"="+node)
	listed, err := e.api.ContainerList(ctx, client.ContainerListOptions{Filters: filters})
	if err != nil {
		return nil, err
	}
	alive := []recording.Container{}
	for _, c := range listed.Items {
		if strings.HasPrefix(c.Labels[labelImage], e.images) {
			alive = append(alive, recording.Container{ID: c.ID, Game: c.Labels[labelGame]})
		}
	}
	return alive, nil
}

// faults returns what can happen to the engine and the containers of a region.
func (e *dockerEngine) faults(region string) []chaos.Fault {
	proxy := e.proxies[region]
	disturb := func(kind string, begin func(*rand.Rand) (detail string)) chaos.Fault {
		return chaos.Fault{Kind: kind, Target: region, Process: "engine " + region, MaxDuration: 4 * time.Second, Inject: func(_ context.Context, rng *rand.Rand) (func(context.Context) error, string, error) {
			detail := begin(rng)
			return func(context.Context) error { proxy.Repair(); return nil }, detail, nil
		}}
	}
	ofAny := func(do func(ctx context.Context, id string) error) func(context.Context, *rand.Rand) (string, error) {
		return func(ctx context.Context, rng *rand.Rand) (string, error) {
			alive, err := e.containers(ctx, region, region+"-1")
			if err != nil {
				return "", err
			}
			if len(alive) == 0 {
				return "", errNoGame
			}
			chosen := alive[rng.IntN(len(alive))]
			return chosen.Game, do(ctx, chosen.ID)
		}
	}
	return []chaos.Fault{
		disturb("engine away", func(*rand.Rand) string { proxy.SetAway(); return "" }),
		disturb("engine hangs", func(*rand.Rand) string { proxy.Hang(); return "" }),
		disturb("responses of the engine lost", func(rng *rand.Rand) string {
			share := 0.1 + 0.4*rng.Float64()
			proxy.LoseResponses(share)
			return strconv.FormatFloat(share, 'f', 2, 64)
		}),
		operatorFault("game killed", region, ofAny(func(ctx context.Context, id string) error {
			_, err := e.api.ContainerKill(ctx, id, client.ContainerKillOptions{Signal: "KILL"})
			return err
		})),
		operatorFault("container removed by hand", region, ofAny(func(ctx context.Context, id string) error {
			_, err := e.api.ContainerRemove(ctx, id, client.ContainerRemoveOptions{Force: true})
			return err
		})),
	}
}
