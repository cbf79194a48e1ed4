package operation

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"path"
	"slices"
	"strings"
	"time"
	"unicode"

	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/domain/secret"
)

// Defaults for zero fields of a Spec.
const (
	DefaultContainerPort = 8080
	DefaultHealthPath    = "/healthz"
	DefaultHealthTimeout = 30 * time.Second
	DefaultStopGrace     = 10 * time.Second
	DefaultCrashWindow   = 10 * time.Minute
	DefaultCrashDelay    = time.Second
)

// MinMemoryBytes is the smallest memory limit that a Docker Engine accepts.
const MinMemoryBytes = 6 << 20

// NoHealthCheck is the HealthPath of a game without a health check.
const NoHealthCheck = "none"

// Spec specifies how to run a game. It is stored with the game, so that every later
// start and restart runs it in the same way. The zero value of each field except Image
// means the default that its comment names.
type Spec struct {
	// Image is the image to run: an image reference for Docker, NAME:VERSION below the
	// images directory for the process engine.
	Image string `json:"image"`
	// Args are appended to the command of the image.
	Args []string `json:"args,omitempty"`
	// Env holds the environment variables of the container, value by name. They are
	// stored in plain text: use Secrets for secret values.
	Env map[string]string `json:"env,omitempty"`
	// Secrets are the names of secrets whose keys become environment variables of the
	// container. Env takes precedence over them, and a later secret over an earlier one.
	Secrets []string `json:"secrets,omitempty"`
	// Network is the engine's network to join; empty means the daemon's default network.
	Network string `json:"network,omitempty"`
	// Port is the port of the game on the node; 0 lets the engine choose.
	Port int `json:"port,omitempty"`
	// ContainerPort is the port that the game listens on inside its container, passed in
	// the variable PORT. Default 8080. A local process has no network of its own: its PORT
	// is the port on the node.
	ContainerPort int `json:"container_port,omitempty"`
	// Ports are further ports, at which players reach the game.
	Ports []PortSpec `json:"ports,omitempty"`
	// CPUs and MemoryBytes are limits; 0 means no limit. An engine without limits rejects
	// them.
	CPUs        float64 `json:"cpus,omitempty"`
	MemoryBytes int64   `json:"memory_bytes,omitempty"`
	// RequestCPUs and RequestMemoryBytes are what the placement reserves on a node. Default: the
	// limits.
	RequestCPUs        float64 `json:"request_cpus,omitempty"`
	RequestMemoryBytes int64   `json:"request_memory_bytes,omitempty"`
	// NodeSelector holds labels that the node of the game must have, value by key.
	NodeSelector map[string]string `json:"node_selector,omitempty"`
	// Tolerations are the taints of nodes on which the game may run nevertheless.
	Tolerations []node.Toleration `json:"tolerations,omitempty"`
	// Placement prefers nodes with few games or with many. Default PlacementSpread.
	Placement PlacementPolicy `json:"placement,omitempty"`
	// SpreadBy is the label of nodes by which games are spread: nodes are preferred whose value of the
	// label has the fewest games of the group. SpreadGroup is the label of games whose value is the
	// group; empty means all games of the region.
	SpreadBy    string `json:"spread_by,omitempty"`
	SpreadGroup string `json:"spread_group,omitempty"`
	// HealthPath is the HTTP path that returns 2xx to a GET when the game is healthy.
	// Default /healthz. "none" disables the check: the game is healthy while it runs.
	HealthPath string `json:"health_path,omitempty"`
	// Health is the health check. Its zero value is that of HealthPath.
	Health HealthCheck `json:"health,omitzero"`
	// HealthTimeout is how long a start waits for the health check to pass. Default 30 s.
	HealthTimeout Duration `json:"health_timeout,omitzero"`
	// StopGrace is the time between the signal to exit and the kill. Default 10 s.
	StopGrace Duration `json:"stop_grace,omitzero"`
	// StopSignal is the signal to exit, one of StopSignals. Empty means that of the image,
	// SIGTERM for most images and for the process engine.
	StopSignal string `json:"stop_signal,omitempty"`

	Crash CrashPolicy `json:"crash,omitzero"`
	// OnNodeLost defaults to NodeLostKeep, and to NodeLostReschedule for a game with Regions.
	OnNodeLost NodeLostPolicy `json:"on_node_lost,omitempty"`
	// Regions are the other regions in which the game may be started when its node is lost,
	// the preferred one first. The region of the lost node comes before all of them. Empty
	// means that the game never leaves its region.
	Regions []string `json:"regions,omitempty"`
}

// CrashPolicy specifies what to do when a container exits although no operation stopped
// it: restart it, at most Attempts times within Window, Delay after each exit. With zero
// attempts it stays stopped.
type CrashPolicy struct {
	Attempts int      `json:"attempts,omitempty"`
	Window   Duration `json:"window,omitzero"` // default 10 min
	Delay    Duration `json:"delay,omitzero"`  // default 1 s
	// Condition is which exits are crashes. Default CrashAny.
	Condition CrashCondition `json:"condition,omitempty"`
}

// CrashCondition selects the exits that are crashes, among those that no operation requested.
type CrashCondition string

// The conditions. The zero value means CrashAny.
const (
	CrashAny       CrashCondition = "any"        // every exit
	CrashOnFailure CrashCondition = "on-failure" // an exit with another code than 0, or by a signal
)

// StopSignals returns the names of the signals that a Spec may use.
func StopSignals() []string {
	return []string{"SIGTERM", "SIGINT", "SIGQUIT", "SIGHUP", "SIGUSR1", "SIGUSR2", "SIGWINCH", "SIGKILL"}
}

// PlacementPolicy specifies which of the nodes that can run a game is selected.
type PlacementPolicy string

// The placement policies. The zero value means PlacementSpread.
const (
	// PlacementSpread selects the node with the lowest share in use.
	PlacementSpread PlacementPolicy = "spread"
	// PlacementPack selects the node with the highest share in use.
	PlacementPack PlacementPolicy = "pack"
)

// Requests returns what the game requests of its node. Its ports are those that the node chooses.
func (s Spec) Requests() node.Resources {
	requests := node.Resources{CPUs: cmp.Or(s.RequestCPUs, s.CPUs), MemoryBytes: cmp.Or(s.RequestMemoryBytes, s.MemoryBytes)}
	for _, p := range s.Ports {
		switch {
		case p.Port != 0:
		case p.Protocol == runtime.ProtocolUDP:
			requests.UDPPorts++
		default:
			requests.TCPPorts++
		}
	}
	return requests
}

// GroupOf returns the group of games that a game with the labels is spread within, KEY=VALUE, and the empty
// text for all games.
func (s Spec) GroupOf(labels map[string]string) string {
	if s.SpreadGroup == "" {
		return ""
	}
	return s.SpreadGroup + "=" + labels[s.SpreadGroup]
}

// NodeLostPolicy specifies what to do with a game whose node is lost.
type NodeLostPolicy string

// The policies. The zero value means NodeLostKeep.
const (
	// NodeLostKeep waits for the node to return.
	NodeLostKeep NodeLostPolicy = "keep"
	// NodeLostReschedule starts the game on another node after the grace period: one of its
	// region, or else one of Spec.Regions.
	NodeLostReschedule NodeLostPolicy = "reschedule"
)

// Duration is a time.Duration that encodes as text, such as 1m30s.
type Duration time.Duration

// MarshalText returns the duration in the format of time.Duration.String.
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// UnmarshalText accepts the format of time.ParseDuration.
func (d *Duration) UnmarshalText(text []byte) error {
	parsed, err := time.ParseDuration(string(text))
	if err != nil {
		return fmt.Errorf("%q is not a duration such as 30s or 5m", text)
	}
	*d = Duration(parsed)
	return nil
}

// WithDefaults returns the spec with zero fields replaced by their defaults.
func (s Spec) WithDefaults() Spec {
	s.ContainerPort = cmp.Or(s.ContainerPort, DefaultContainerPort)
	s.Ports = withDefaultProtocols(s.Ports)
	s.HealthPath = cmp.Or(s.HealthPath, DefaultHealthPath)
	s.HealthTimeout = cmp.Or(s.HealthTimeout, Duration(DefaultHealthTimeout))
	s.StopGrace = cmp.Or(s.StopGrace, Duration(DefaultStopGrace))
	s.Placement = cmp.Or(s.Placement, PlacementSpread)
	s.Crash.Window = cmp.Or(s.Crash.Window, Duration(DefaultCrashWindow))
	s.Crash.Delay = cmp.Or(s.Crash.Delay, Duration(DefaultCrashDelay))
	s.Crash.Condition = cmp.Or(s.Crash.Condition, CrashAny)
	if len(s.Regions) > 0 {
		s.OnNodeLost = cmp.Or(s.OnNodeLost, NodeLostReschedule)
	}
	s.OnNodeLost = cmp.Or(s.OnNodeLost, NodeLostKeep)
	return s
}

// Clone returns a copy that shares no memory with s.
func (s Spec) Clone() Spec {
	s.Args, s.Env, s.Secrets, s.Regions = slices.Clone(s.Args), maps.Clone(s.Env), slices.Clone(s.Secrets), slices.Clone(s.Regions)
	s.NodeSelector, s.Tolerations = maps.Clone(s.NodeSelector), slices.Clone(s.Tolerations)
	s.Ports = slices.Clone(s.Ports)
	s.Health.Exec.Command = slices.Clone(s.Health.Exec.Command)
	return s
}

// Limits of a spec.
const (
	maxArgs          = 256
	maxTextBytes     = 32 << 10 // args and env together
	maxImageBytes    = 512
	maxNetworkBytes  = 255 // Docker itself has no limit
	maxCrashAttempts = 1000
	maxRegions       = 32
	maxSelectors     = 32
	maxRegionBytes   = 256
	maxWait          = Duration(time.Hour)
)

// MaxStopGrace is the longest stop grace.
const MaxStopGrace = maxWait

// Validate returns nil if an engine may be able to run the spec. Otherwise it returns
// every fault: *runtime.InvalidError values, joined, each with the JSON name of the
// field.
func (s Spec) Validate() error {
	var faults []error
	addIf := func(invalid bool, field, format string, args ...any) {
		if invalid {
			faults = append(faults, &runtime.InvalidError{Field: field, Reason: fmt.Sprintf(format, args...)})
		}
	}
	if err := ValidateImage(s.Image); err != nil {
		faults = append(faults, err)
	}
	text := 0
	for _, arg := range s.Args {
		text += len(arg)
		addIf(strings.ContainsRune(arg, 0), "args", "contain a NUL byte")
	}
	for name, value := range s.Env {
		text += len(name) + len(value)
		addIf(name == "" || strings.ContainsAny(name, "=\x00") || strings.ContainsRune(value, 0), "env", "contains %.64q: its name or its value is not valid for an environment variable", name)
	}
	addIf(len(s.Secrets) > secret.MaxReferences, "secrets", "are %d; at most %d are allowed", len(s.Secrets), secret.MaxReferences)
	for i, name := range s.Secrets {
		if err := secret.ValidateReference("", name); err != nil {
			faults = append(faults, err)
		}
		addIf(slices.Contains(s.Secrets[:i], name), "secrets", "contain %.64q twice", name)
	}
	addIf(len(s.Args) > maxArgs, "args", "are %d; at most %d are allowed", len(s.Args), maxArgs)
	addIf(text > maxTextBytes, "env", "and args have %d bytes together; at most %d are allowed", text, maxTextBytes)
	addIf(s.Port < 0 || s.Port > 65535, "port", "%d is not a port from 0 to 65535", s.Port)
	addIf(s.ContainerPort < 0 || s.ContainerPort > 65535, "container_port", "%d is not a port from 0 to 65535", s.ContainerPort)
	faults = append(faults, s.validatePorts()...)
	addIf(!(s.CPUs >= 0 && s.CPUs <= 1024), "cpus", "%v is not a number of CPUs from 0 to 1024", s.CPUs)
	addIf(s.MemoryBytes != 0 && s.MemoryBytes < MinMemoryBytes, "memory_bytes", "%d is less than the minimum of %d", s.MemoryBytes, MinMemoryBytes)
	faults = append(faults, s.validatePlacement()...)
	addIf(strings.ContainsAny(s.Network, " /\x00"), "network", "%.64q is not a network name", s.Network)
	addIf(len(s.Network) > maxNetworkBytes, "network", "has %d bytes; at most %d are allowed", len(s.Network), maxNetworkBytes)
	addIf(s.HealthPath != "" && s.HealthPath != NoHealthCheck && !isURLPath(s.HealthPath), "health_path", "%.64q is neither a path such as /healthz nor %q", s.HealthPath, NoHealthCheck)
	faults = append(faults, s.validateHealth()...)
	for field, wait := range map[string]Duration{
		"health_timeout": s.HealthTimeout, "stop_grace": s.StopGrace, "crash.delay": s.Crash.Delay,
	} {
		addIf(wait < 0 || wait > maxWait, field, "%s is not from 0 to %s", time.Duration(wait), time.Duration(maxWait))
	}
	addIf(s.Crash.Window < 0, "crash.window", "must not be negative")
	addIf(s.Crash.Attempts < 0 || s.Crash.Attempts > maxCrashAttempts, "crash.attempts", "%d is not from 0 to %d", s.Crash.Attempts, maxCrashAttempts)
	addIf(s.Crash.Condition != "" && s.Crash.Condition != CrashAny && s.Crash.Condition != CrashOnFailure, "crash.condition", "%.64q is neither %q nor %q", s.Crash.Condition, CrashAny, CrashOnFailure)
	addIf(s.StopSignal != "" && !slices.Contains(StopSignals(), s.StopSignal), "stop_signal", "%.64q is not one of %s", s.StopSignal, strings.Join(StopSignals(), ", "))
	addIf(s.OnNodeLost != "" && s.OnNodeLost != NodeLostKeep && s.OnNodeLost != NodeLostReschedule, "on_node_lost", "%q is neither %q nor %q", s.OnNodeLost, NodeLostKeep, NodeLostReschedule)
	addIf(s.OnNodeLost == NodeLostKeep && len(s.Regions) > 0, "regions", "are for the policy %q, and on_node_lost is %q", NodeLostReschedule, NodeLostKeep)
	addIf(len(s.Regions) > maxRegions, "regions", "are %d; at most %d are allowed", len(s.Regions), maxRegions)
	for i, region := range s.Regions {
		addIf(strings.TrimSpace(region) == "" || len(region) > maxRegionBytes || strings.ContainsFunc(region, unicode.IsControl), "regions", "contain %.64q, which is not the name of a region", region)
		addIf(slices.Contains(s.Regions[:i], region), "regions", "contain %.64q twice", region)
	}
	return errors.Join(faults...)
}

// validatePlacement returns the faults of the members that select a node.
func (s Spec) validatePlacement() (faults []error) {
	addIf := func(invalid bool, field, format string, args ...any) {
		if invalid {
			faults = append(faults, &runtime.InvalidError{Field: field, Reason: fmt.Sprintf(format, args...)})
		}
	}
	addIf(!(s.RequestCPUs >= 0 && s.RequestCPUs <= 1024), "request_cpus", "%v is not a number of CPUs from 0 to 1024", s.RequestCPUs)
	addIf(s.CPUs > 0 && s.RequestCPUs > s.CPUs, "request_cpus", "%v is more than the limit of %v", s.RequestCPUs, s.CPUs)
	addIf(s.RequestMemoryBytes < 0, "request_memory_bytes", "must not be negative")
	addIf(s.MemoryBytes > 0 && s.RequestMemoryBytes > s.MemoryBytes, "request_memory_bytes", "%d is more than the limit of %d", s.RequestMemoryBytes, s.MemoryBytes)
	addIf(s.Placement != "" && s.Placement != PlacementSpread && s.Placement != PlacementPack, "placement", "%.64q is neither %q nor %q", s.Placement, PlacementSpread, PlacementPack)
	for _, label := range [][2]string{{"spread_by", s.SpreadBy}, {"spread_group", s.SpreadGroup}} {
		if field, key := label[0], label[1]; key != "" {
			err := node.ValidateLabel(key, "")
			addIf(err != nil, field, "is no key of a label: %v", err)
		}
	}
	addIf(s.SpreadGroup != "" && s.SpreadBy == "", "spread_group", "needs spread_by, the label of nodes by which the games are spread")
	addIf(len(s.NodeSelector) > maxSelectors, "node_selector", "has %d labels; at most %d are allowed", len(s.NodeSelector), maxSelectors)
	for _, key := range slices.Sorted(maps.Keys(s.NodeSelector)) {
		if err := node.ValidateLabel(key, s.NodeSelector[key]); err != nil {
			addIf(true, "node_selector", "has an invalid label: %v", err)
		}
	}
	addIf(len(s.Tolerations) > maxSelectors, "tolerations", "are %d; at most %d are allowed", len(s.Tolerations), maxSelectors)
	for i, t := range s.Tolerations {
		if err := t.Validate(); err != nil {
			addIf(true, "tolerations", "contain an invalid one at position %d: %v", i+1, err)
		}
	}
	return faults
}

// isURLPath reports whether the path can be the path of a URL.
func isURLPath(p string) bool {
	_, err := url.Parse("http://game" + p)
	return err == nil && strings.HasPrefix(p, "/") && len(p) <= 1024 && !strings.ContainsAny(p, " ?#")
}

// ValidateImage returns nil if the text may be an image reference, and otherwise a
// *runtime.InvalidError on "image". Only the engine knows whether the image exists.
func ValidateImage(image string) error {
	invalid := func(reason string) error { return &runtime.InvalidError{Field: "image", Reason: reason} }
	switch {
	case image == "":
		return invalid("is required, for example gameserver:1.0.0")
	case len(image) > maxImageBytes:
		return invalid(fmt.Sprintf("has %d bytes; at most %d are allowed", len(image), maxImageBytes))
	case strings.ContainsFunc(image, func(r rune) bool { return r <= ' ' || r > '~' }):
		return invalid(fmt.Sprintf("%.64q is not an image reference such as gameserver:1.0.0", image))
	case strings.ContainsAny(image[:1], "-:@"), strings.ContainsAny(image[len(image)-1:], ":@"), path.Clean("/"+image) != "/"+image:
		return invalid(fmt.Sprintf("%.64q is not an image reference such as gameserver:1.0.0", image))
	}
	return nil
}
