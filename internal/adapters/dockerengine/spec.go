package dockerengine

import (
	"cmp"
	"errors"
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
	"galaxy/rtmanager/internal/domain/secret"
	"galaxy/rtmanager/internal/gameports"
)

// namePattern matches the names of containers that the engine accepts. It is also applied
// to networks, so that a name has no special characters of a path.
var namePattern = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9_.-]*$`)

// withDefaults sets the fields that the spec leaves to the engine.
func (e *Engine) withDefaults(spec container.Spec) container.Spec {
	spec.Network = cmp.Or(spec.Network, e.cfg.Network)
	spec.ContainerPort = cmp.Or(spec.ContainerPort, e.cfg.ContainerPort)
	spec.MemoryBytes = cmp.Or(spec.MemoryBytes, e.cfg.MemoryBytes)
	return spec
}

// validateSpec returns an error for a spec that could do harm, or whose container would not be
// owned. The engine reports other faults.
func (e *Engine) validateSpec(spec container.Spec) error {
	if err := runtime.ValidateGameID(spec.Labels.GameID); err != nil {
		return err
	}
	switch {
	case !namePattern.MatchString(spec.Name) || idPattern.MatchString(spec.Name):
		return &runtime.InvalidError{Field: "name", Reason: fmt.Sprintf("%q is not a container name; use letters, digits, _ . and -", spec.Name)}
	case spec.Labels.OperationID == "":
		return &runtime.InvalidError{Field: "operation_id", Reason: "is required"}
	case !e.isOwned(spec.Labels):
		return &runtime.InvalidError{Field: "labels", Reason: fmt.Sprintf("name store %q, region %q and node %q, which are not those of this engine",
			spec.Labels.Store, spec.Labels.Region, spec.Labels.Node)}
	case !isValidPort(spec.Port):
		return &runtime.InvalidError{Field: "port", Reason: fmt.Sprintf("%d must be 0 to 65535", spec.Port)}
	case !isValidPort(spec.ContainerPort):
		return &runtime.InvalidError{Field: "container_port", Reason: fmt.Sprintf("%d must be 0 to 65535", spec.ContainerPort)}
	case !(spec.CPUs >= 0 && spec.CPUs < math.MaxInt32): // NaN too
		return &runtime.InvalidError{Field: "cpus", Reason: fmt.Sprintf("%v must not be negative", spec.CPUs)}
	case len(spec.Secrets) > 0 && e.cfg.Secrets == nil:
		return &runtime.InvalidError{Field: "secrets", Reason: "are not available on this node"}
	case spec.MemoryBytes < 0:
		return &runtime.InvalidError{Field: "memory_bytes", Reason: fmt.Sprintf("%d must not be negative", spec.MemoryBytes)}
	}
	if err := errors.Join(validateTexts(spec), e.validatePorts(spec)); err != nil {
		return err
	}
	return e.checkNetwork(spec.Network)
}

// validateTexts returns an error for arguments and variables that no process can have.
func validateTexts(spec container.Spec) error {
	for _, text := range spec.Args {
		if !isValidText(text) {
			return &runtime.InvalidError{Field: "args", Reason: fmt.Sprintf("contain %.64q, which is not UTF-8 text without NUL", text)}
		}
	}
	for name, value := range spec.Env {
		if name == "" || strings.Contains(name, "=") || !isValidText(name) || !isValidText(value) {
			return &runtime.InvalidError{Field: "env", Reason: fmt.Sprintf("contains %.64q: its name or its value is not valid for an environment variable", name)}
		}
	}
	return nil
}

func isValidText(text string) bool { return utf8.ValidString(text) && !strings.Contains(text, "\x00") }

func isValidPort(port int) bool { return port >= 0 && port <= math.MaxUint16 }

// createOptions returns the engine's options for the spec, with the values of its secrets.
// networkName is the engine's name of the network.
func (e *Engine) createOptions(spec container.Spec, secrets secret.Values, networkName, stateDir string) client.ContainerCreateOptions {
	containerPort := network.MustParsePort(strconv.Itoa(spec.ContainerPort) + "/tcp")
	host := e.hostConfig()
	host.NetworkMode = mobycontainer.NetworkMode(networkName)
	host.NanoCPUs = int64(math.Round(spec.CPUs * 1e9))
	host.Memory = spec.MemoryBytes
	host.MemorySwap = spec.MemoryBytes // the same number: no additional swap
	host.PortBindings = network.PortMap{}
	isPublished := e.cfg.Endpoints == EndpointPublished || spec.Port != 0
	if isPublished && !isGamePort(spec.Ports, containerPort.Num()) {
		host.PortBindings[containerPort] = []network.PortBinding{portBinding(e.address, spec.Port)}
	}
	exposed := network.PortSet{containerPort: {}}
	for _, p := range spec.Ports {
		gamePort := dockerPort(p)
		exposed[gamePort] = struct{}{}
		host.PortBindings[gamePort] = []network.PortBinding{portBinding(e.gameAddress(), p.Port)}
	}
	if stateDir != "" {
		host.Mounts = []mount.Mount{{Type: mount.TypeBind, Source: stateDir, Target: stateMountPath}}
	}
	return client.ContainerCreateOptions{
		Name: spec.Name,
		Config: &mobycontainer.Config{
			Image:        spec.Labels.Image,
			Labels:       engineLabels(spec),
			Cmd:          spec.Args,
			Env:          environment(spec, secrets, stateDir != ""),
			User:         e.cfg.User,
			StopSignal:   spec.StopSignal,
			ExposedPorts: exposed,
		},
		HostConfig: host,
	}
}

// hostConfig returns the settings that do not depend on the spec. It has no init process:
// the init process would start even if the program cannot be executed, and Start could not
// return the reason.
func (e *Engine) hostConfig() *mobycontainer.HostConfig {
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

func portBinding(address netip.Addr, port int) network.PortBinding {
	binding := network.PortBinding{HostIP: address}
	if port != 0 {
		binding.HostPort = strconv.Itoa(port)
	}
	return binding
}

// environment returns the variables of the spec, those of its secrets, and the variables of all
// games, as NAME=VALUE.
func environment(spec container.Spec, secrets secret.Values, hasStateDir bool) []string {
	env := map[string]string{}
	if hasStateDir {
		env["HOME"] = stateMountPath
	}
	maps.Copy(env, secrets.Reveal())
	maps.Copy(env, spec.Env)
	env["PORT"] = strconv.Itoa(spec.ContainerPort)
	for _, p := range spec.Ports {
		env[gameports.Variable(p.Name)] = strconv.Itoa(p.ContainerPort)
	}
	env["RTMANAGER_GAME_ID"] = spec.Labels.GameID
	env["RTMANAGER_IMAGE"] = spec.Labels.Image
	env["RTMANAGER_GENERATION"] = strconv.FormatInt(spec.Labels.Generation, 10)
	lines := make([]string, 0, len(env))
	for _, name := range slices.Sorted(maps.Keys(env)) {
		lines = append(lines, name+"="+env[name])
	}
	return lines
}
