package processengine

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"unicode/utf8"

	"galaxy/rtmanager/internal/atomicfile"
	"galaxy/rtmanager/internal/domain/container"
	"galaxy/rtmanager/internal/domain/runtime"
)

// spec is the content of spec.json.
type spec struct {
	ID     string            `json:"id"`
	Name   string            `json:"name"`
	Labels container.Labels  `json:"labels"`
	Args   []string          `json:"args,omitempty"`
	Env    map[string]string `json:"env,omitempty"`
	// Secrets are names; the values are not stored.
	Secrets []string `json:"secrets,omitempty"`
	Port    int      `json:"port,omitempty"`
	// ImageDigest is the hash of the executable; empty in a container of an earlier version.
	ImageDigest string `json:"image_digest,omitempty"`
	// Ports are the ports of players; each has a number, and no host.
	Ports []runtime.Port `json:"ports,omitempty"`

	CPUs        float64 `json:"cpus,omitempty"`         // 0: no limit
	MemoryBytes int64   `json:"memory_bytes,omitempty"` // 0: no limit
	// StopSignal is the name of the signal of a stop; empty means SIGTERM.
	StopSignal string `json:"stop_signal,omitempty"`
}

// stopSignal returns the signal of a stop.
func (s spec) stopSignal() syscall.Signal {
	return cmp.Or(signalOf(s.StopSignal), syscall.SIGTERM)
}

// runConfig is the content of run.json: the settings of the latest start.
type runConfig struct {
	Port int `json:"port"`
	// Ports are the ports of players.
	Ports  []runtime.Port `json:"ports,omitempty"`
	Groups []string       `json:"groups,omitempty"` // the control groups of the game
	Boot   string         `json:"boot,omitempty"`   // the boot of the machine
}

// The least and greatest limits. The kernel accepts no fewer CPUs.
const (
	minCPUs        = 0.01
	maxCPUs        = 10_000
	minMemoryBytes = 4 << 20
)

// readSpec reads the spec of the container. It returns an error if the file does not contain
// the complete spec of this container.
func readSpec(name, id string) (spec, error) {
	var s spec
	if err := readJSON(name, &s); err != nil {
		return spec{}, err
	}
	if s.ID != id || s.Name == "" || s.Labels.GameID == "" || s.Labels.Store == "" || s.Labels.OperationID == "" {
		return spec{}, fmt.Errorf("%s does not describe container %s", name, id)
	}
	return s, nil
}

func readJSON(name string, into any) error {
	content, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(content, into); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

func writeJSON(name string, value any) error {
	content, err := json.MarshalIndent(value, "", "  ")
	if err != nil {
		return err
	}
	return atomicfile.Write(name, append(content, '\n'))
}

// validateSpec returns all faults of a spec at once; each is a *runtime.InvalidError.
func (e *Engine) validateSpec(s container.Spec) error {
	var faults []error
	fault := func(isFault bool, field, reason string) {
		if isFault {
			faults = append(faults, &runtime.InvalidError{Field: field, Reason: reason})
		}
	}
	faults = append(faults, runtime.ValidateGameID(s.Labels.GameID))
	fault(s.Name == "", "name", "is required")
	fault(s.Labels.OperationID == "", "operation_id", "is required")
	fault(s.Labels.Store != e.cfg.Store, "store", fmt.Sprintf("%q is not %q, the store of this engine", s.Labels.Store, e.cfg.Store))
	fault(s.Labels.Region != e.cfg.Region, "region", fmt.Sprintf("%q is not %q, the region of this engine", s.Labels.Region, e.cfg.Region))
	fault(s.Labels.Node != e.cfg.Node, "node", fmt.Sprintf("%q is not %q, the node of this engine", s.Labels.Node, e.cfg.Node))
	const noLimit = "cannot be limited: the daemon has no control group with the controller %s that it may change; omit the limit, delegate a control group to the daemon, or use Docker"
	fault(s.CPUs != 0 && !e.groups.CanLimitCPUs(), "cpus", fmt.Sprintf(noLimit, "cpu"))
	fault(s.MemoryBytes != 0 && !e.groups.CanLimitMemory(), "memory_bytes", fmt.Sprintf(noLimit, "memory"))
	fault(s.CPUs != 0 && !(s.CPUs >= minCPUs && s.CPUs < maxCPUs), "cpus", fmt.Sprintf("%v is not between %v and %v", s.CPUs, minCPUs, maxCPUs))
	fault(s.MemoryBytes != 0 && s.MemoryBytes < minMemoryBytes, "memory_bytes", fmt.Sprintf("%d is less than %d, which a process needs", s.MemoryBytes, minMemoryBytes))
	fault(len(s.Secrets) > 0 && e.cfg.Secrets == nil, "secrets", "are not available on this node")
	fault(s.Network != "", "network", "cannot be joined with the process engine; omit it or use Docker")
	fault(s.Port < 0 || s.Port > 65535, "port", fmt.Sprintf("%d is not a port from 0 to 65535", s.Port))
	for _, p := range s.Ports {
		isValid := p.Name != "" && (p.Protocol == runtime.ProtocolTCP || p.Protocol == runtime.ProtocolUDP) && p.Port >= 0 && p.Port <= 65535
		fault(!isValid, "ports", fmt.Sprintf("contain %q with protocol %q and port %d; use tcp or udp and a port from 0 to 65535", p.Name, p.Protocol, p.Port))
		fault(p.Port == 0 && e.cfg.GamePorts.Size() == 0, "ports", fmt.Sprintf("contain %s without a port, and this node has no range of ports for games", p.Name))
	}
	fault(s.StopSignal != "" && signalOf(s.StopSignal) == 0, "stop_signal", fmt.Sprintf("%.64q is not the name of a signal such as SIGINT", s.StopSignal))
	for _, text := range append([]string{s.Name, s.Labels.OperationID}, s.Args...) {
		fault(!isValidText(text), "args", fmt.Sprintf("contain %.64q, which is not UTF-8 text without NUL", text))
	}
	for name, value := range s.Env {
		fault(name == "" || strings.Contains(name, "=") || !isValidText(name) || !isValidText(value), "env", fmt.Sprintf("contains %.64q: its name or its value is not valid for an environment variable", name))
	}
	return errors.Join(faults...)
}

func isValidText(text string) bool {
	return utf8.ValidString(text) && !strings.Contains(text, "\x00")
}
