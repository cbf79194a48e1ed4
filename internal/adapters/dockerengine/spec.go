package dockerengine

import (
	"fmt"
	"maps"
	"math"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	mobycontainer "github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/mount"
	"github.com/moby/moby/api/types/network"
	"github.com/moby/moby/client"

	"galaxy/rtmanager/internal/domain/container"
	"galaxy/rtmanager/internal/domain/runtime"
)

// plainName is what the engine accepts as a name of a container, and what we
// accept as one of a network: nothing that means more in a path.
var plainName = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9_.-]*$`)

// completed fills in what the spec leaves to the engine.
func (e *Engine) completed(spec container.Spec) container.Spec {
	orDefault(&spec.Network, e.cfg.Network)
	orDefault(&spec.ContainerPort, e.cfg.ContainerPort)
	orDefault(&spec.MemoryBytes, e.cfg.MemoryBytes)
	return spec
}

// checkSpec refuses a completed spec that could do harm or would not be ours. What
// else is wrong with one, the engine says.
func (e *Engine) checkSpec(spec container.Spec) error {
	if err := runtime.ValidateGameID(spec.Labels.GameID); err != nil {
		return err
	}
	switch {
	case !plainName.MatchString(spec.Name) || fullID.MatchString(spec.Name):
		return &runtime.InvalidError{Field: "name", Reason: fmt.Sprintf("%q is not one of a container; use letters, digits, _ . and -", spec.Name)}
	case spec.Labels.OperationID == "":
		return &runtime.InvalidError{Field: "operation_id", Reason: "is empty; name the operation"}
	case !e.isMine(spec.Labels):
		return &runtime.InvalidError{Field: "labels", Reason: fmt.Sprintf("name store %q, region %q and node %q, which are not this engine's",
			spec.Labels.Store, spec.Labels.Region, spec.Labels.Node)}
	case !validPort(spec.Port):
		return &runtime.InvalidError{Field: "port", Reason: fmt.Sprintf("%d must be 0 to 65535", spec.Port)}
	case !validPort(spec.ContainerPort):
		return &runtime.InvalidError{Field: "container_port", Reason: fmt.Sprintf("%d must be 0 to 65535", spec.ContainerPort)}
	case !(spec.CPUs >= 0 && spec.CPUs < math.MaxInt32): // NaN too
		return &runtime.InvalidError{Field: "cpus", Reason: fmt.Sprintf("%v must not be negative", spec.CPUs)}
	case spec.MemoryBytes < 0:
		return &runtime.InvalidError{Field: "memory_bytes", Reason: fmt.Sprintf("%d must not be negative", spec.MemoryBytes)}
	}
	if err := checkTexts(spec); err != nil {
		return err
	}
	return e.checkNetwork(spec.Network)
}

// checkTexts refuses what no program could be given.
func checkTexts(spec container.Spec) error {
	for _, text := range spec.Args {
		if !plain(text) {
			return &runtime.InvalidError{Field: "args", Reason: fmt.Sprintf("hold %.64q, which is no UTF-8 text without NUL", text)}
		}
	}
	for name, value := range spec.Env {
		if name == "" || strings.Contains(name, "=") || !plain(name) || !plain(value) {
			return &runtime.InvalidError{Field: "env", Reason: fmt.Sprintf("holds %.64q, which no variable can be called or hold", name)}
		}
	}
	return nil
}

func plain(text string) bool { return utf8.ValidString(text) && !strings.Contains(text, "\x00") }

func validPort(port int) bool { return port >= 0 && port <= math.MaxUint16 }

// options are what the engine is asked to create. The network is named as the
// engine names it.
func (e *Engine) options(spec container.Spec, networkName, stateDir string) client.ContainerCreateOptions {
	inside := network.MustParsePort(strconv.Itoa(spec.ContainerPort) + "/tcp")
	host := e.hardened()
	host.NetworkMode = mobycontainer.NetworkMode(networkName)
	host.NanoCPUs = int64(math.Round(spec.CPUs * 1e9))
	host.Memory = spec.MemoryBytes
	host.MemorySwap = spec.MemoryBytes // the same number: no swap on top
	if e.cfg.Endpoints == EndpointPublished || spec.Port != 0 {
		host.PortBindings = network.PortMap{inside: {published(e.address, spec.Port)}}
	}
	if stateDir != "" {
		host.Mounts = []mount.Mount{{Type: mount.TypeBind, Source: stateDir, Target: stateTarget}}
	}
	return client.ContainerCreateOptions{
		Name: spec.Name,
		Config: &mobycontainer.Config{
			Image:        spec.Labels.Image,
			Labels:       labelsOf(spec),
			Cmd:          spec.Args,
			Env:          environment(spec, stateDir != ""),
			User:         e.cfg.User,
			ExposedPorts: network.PortSet{inside: {}},
		},
		HostConfig: host,
	}
}

// hardened is what every container gets, whatever its spec says. An init process is
// not in it: that one would start, and a program that cannot be started would be an
// exit with a code, where the engine's answer says what is wrong.
func (e *Engine) hardened() *mobycontainer.HostConfig {
	return &mobycontainer.HostConfig{
		CapDrop:        []string{"ALL"},
		SecurityOpt:    []string{"no-new-privileges"},
		ReadonlyRootfs: !e.cfg.WritableRoot,
		Tmpfs:          map[string]string{"/tmp": "rw,noexec,nosuid,nodev,size=64m,mode=1777"},
		RestartPolicy:  mobycontainer.RestartPolicy{Name: mobycontainer.RestartPolicyDisabled},
		LogConfig:      mobycontainer.LogConfig{Type: "json-file", Config: map[string]string{"max-size": "10m", "max-file": "2"}},
		Resources:      mobycontainer.Resources{PidsLimit: &e.cfg.PidsLimit},
	}
}

func published(address netip.Addr, port int) network.PortBinding {
	binding := network.PortBinding{HostIP: address}
	if port != 0 {
		binding.HostPort = strconv.Itoa(port)
	}
	return binding
}

// environment is the spec's, and what every game is told of itself.
func environment(spec container.Spec, state bool) []string {
	env := map[string]string{}
	if state {
		env["HOME"] = stateTarget
	}
	maps.Copy(env, spec.Env)
	env["PORT"] = strconv.Itoa(spec.ContainerPort)
	env["RTMANAGER_GAME_ID"] = spec.Labels.GameID
	env["RTMANAGER_IMAGE"] = spec.Labels.Image
	env["RTMANAGER_GENERATION"] = strconv.FormatInt(spec.Labels.Generation, 10)
	lines := make([]string, 0, len(env))
	for _, name := range slices.Sorted(maps.Keys(env)) {
		lines = append(lines, name+"="+env[name])
	}
	return lines
}
