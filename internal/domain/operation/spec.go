package operation

import (
	"errors"
	"fmt"
	"net/url"
	"path"
	"strings"
	"time"

	"galaxy/rtmanager/internal/domain/runtime"
)

// Defaults of a Spec's fields that are zero.
const (
	DefaultContainerPort = 8080
	DefaultHealthPath    = "/healthz"
	DefaultHealthTimeout = 30 * time.Second
	DefaultStopGrace     = 10 * time.Second
	DefaultCrashWindow   = 10 * time.Minute
	DefaultCrashDelay    = time.Second
)

// NoHealthCheck as a HealthPath says that the game answers none.
const NoHealthCheck = "none"

// Spec says how a game is to be run. It is kept with the game, so that whatever
// starts it again, runs it the same way. The zero value of each field but Image
// means the default named beside it.
type Spec struct {
	// Image names what to run: an image reference to Docker, and NAME:VERSION below
	// the images directory to the process engine.
	Image string `json:"image"`
	// Args go behind the image's own command.
	Args []string `json:"args,omitempty"`
	// Env are variables of the container, NAME to value. No secrets: they are kept
	// in the store as they are.
	Env map[string]string `json:"env,omitempty"`
	// Network is the engine's network to join; empty is the daemon's default one.
	Network string `json:"network,omitempty"`
	// Port is the port on the node at which the game is reached; 0 lets the engine choose.
	Port int `json:"port,omitempty"`
	// ContainerPort is the port that the game listens on inside its container; it
	// is told by the variable PORT. Default 8080. Local processes have no inside:
	// there PORT is the port on the node.
	ContainerPort int `json:"container_port,omitempty"`
	// CPUs and MemoryBytes are limits; 0 is none. An engine that cannot limit
	// refuses them.
	CPUs        float64 `json:"cpus,omitempty"`
	MemoryBytes int64   `json:"memory_bytes,omitempty"`
	// HealthPath answers a GET with 2xx when the game is well. Default /healthz;
	// "none" is for a game without, which counts as well while it runs.
	HealthPath string `json:"health_path,omitempty"`
	// HealthTimeout is how long a start waits for health. Default 30 s.
	HealthTimeout Duration `json:"health_timeout,omitzero"`
	// StopGrace is how long a stop waits between asking and killing. Default 10 s.
	StopGrace Duration `json:"stop_grace,omitzero"`

	Crash      CrashPolicy    `json:"crash,omitzero"`
	OnNodeLost NodeLostPolicy `json:"on_node_lost,omitempty"`
}

// CrashPolicy says what to do about a container that exits although nobody
// stopped it: start it again, at most Attempts times within Window, each Delay
// after the exit. Zero attempts leave it stopped.
type CrashPolicy struct {
	Attempts int      `json:"attempts,omitempty"`
	Window   Duration `json:"window,omitzero"` // default 10 min
	Delay    Duration `json:"delay,omitzero"`  // default 1 s
}

// NodeLostPolicy says what to do about a game whose node is gone.
type NodeLostPolicy string

// The policies. The zero value is KeepWhenLost.
const (
	// NodeLostKeep waits for the node to come back.
	NodeLostKeep NodeLostPolicy = "keep"
	// NodeLostReschedule starts the game on another node of the region after the grace.
	NodeLostReschedule NodeLostPolicy = "reschedule"
)

// Duration is a time.Duration that reads and writes as text, such as 1m30s.
type Duration time.Duration

// MarshalText returns the duration as time.Duration prints it.
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// UnmarshalText reads what time.ParseDuration does.
func (d *Duration) UnmarshalText(text []byte) error {
	parsed, err := time.ParseDuration(string(text))
	if err != nil {
		return fmt.Errorf("%q is not a duration such as 30s or 5m", text)
	}
	*d = Duration(parsed)
	return nil
}

// WithDefaults returns the spec with the default in place of each zero field
// that has one.
func (s Spec) WithDefaults() Spec {
	if s.ContainerPort == 0 {
		s.ContainerPort = DefaultContainerPort
	}
	if s.HealthPath == "" {
		s.HealthPath = DefaultHealthPath
	}
	orDefault := func(d *Duration, def time.Duration) {
		if *d == 0 {
			*d = Duration(def)
		}
	}
	orDefault(&s.HealthTimeout, DefaultHealthTimeout)
	orDefault(&s.StopGrace, DefaultStopGrace)
	orDefault(&s.Crash.Window, DefaultCrashWindow)
	orDefault(&s.Crash.Delay, DefaultCrashDelay)
	if s.OnNodeLost == "" {
		s.OnNodeLost = NodeLostKeep
	}
	return s
}

// HasHealthCheck reports whether the game can be asked how it is.
func (s Spec) HasHealthCheck() bool { return s.HealthPath != NoHealthCheck }

// The bounds of a spec.
const (
	maxArgs          = 256
	maxTextBytes     = 32 << 10 // args and env together
	maxImageBytes    = 512
	maxNetworkBytes  = 255 // Docker itself sets no bound
	maxCrashAttempts = 1000
	maxWait          = Duration(time.Hour)
	minMemory        = 6 << 20
)

// Validate returns nil for a spec that an engine could be asked to run, and
// otherwise every fault at once: *runtime.InvalidError values, joined, each
// naming the field by its JSON name.
func (s Spec) Validate() error {
	var faults []error
	fault := func(wrong bool, field, format string, args ...any) {
		if wrong {
			faults = append(faults, &runtime.InvalidError{Field: field, Reason: fmt.Sprintf(format, args...)})
		}
	}
	if err := ValidateImage(s.Image); err != nil {
		faults = append(faults, err)
	}
	text := 0
	for _, arg := range s.Args {
		text += len(arg)
		fault(strings.ContainsRune(arg, 0), "args", "hold a NUL byte")
	}
	for name, value := range s.Env {
		text += len(name) + len(value)
		fault(name == "" || strings.ContainsAny(name, "=\x00") || strings.ContainsRune(value, 0), "env", "holds %.64q, which no variable can be called or hold", name)
	}
	fault(len(s.Args) > maxArgs, "args", "are %d; at most %d are allowed", len(s.Args), maxArgs)
	fault(text > maxTextBytes, "env", "and args have %d bytes together; at most %d are allowed", text, maxTextBytes)
	fault(s.Port < 0 || s.Port > 65535, "port", "%d is not a port from 0 to 65535", s.Port)
	fault(s.ContainerPort < 0 || s.ContainerPort > 65535, "container_port", "%d is not a port from 0 to 65535", s.ContainerPort)
	fault(!(s.CPUs >= 0 && s.CPUs <= 1024), "cpus", "%v is not a number of CPUs from 0 to 1024", s.CPUs)
	fault(s.MemoryBytes != 0 && s.MemoryBytes < minMemory, "memory_bytes", "%d is less than %d, with which nothing can run", s.MemoryBytes, minMemory)
	fault(strings.ContainsAny(s.Network, " /\x00"), "network", "%.64q is not a network's name", s.Network)
	fault(len(s.Network) > maxNetworkBytes, "network", "has %d bytes; at most %d are allowed", len(s.Network), maxNetworkBytes)
	fault(s.HealthPath != "" && s.HasHealthCheck() && !validPath(s.HealthPath), "health_path", "%.64q is neither a path such as /healthz nor %q", s.HealthPath, NoHealthCheck)
	for field, wait := range map[string]Duration{
		"health_timeout": s.HealthTimeout, "stop_grace": s.StopGrace, "crash.delay": s.Crash.Delay,
	} {
		fault(wait < 0 || wait > maxWait, field, "%s is not from 0 to %s", time.Duration(wait), time.Duration(maxWait))
	}
	fault(s.Crash.Window < 0, "crash.window", "must not be negative")
	fault(s.Crash.Attempts < 0 || s.Crash.Attempts > maxCrashAttempts, "crash.attempts", "%d is not from 0 to %d", s.Crash.Attempts, maxCrashAttempts)
	fault(s.OnNodeLost != "" && s.OnNodeLost != NodeLostKeep && s.OnNodeLost != NodeLostReschedule, "on_node_lost", "%q is neither %q nor %q", s.OnNodeLost, NodeLostKeep, NodeLostReschedule)
	return errors.Join(faults...)
}

// validPath reports whether a URL that ends in the path can be asked.
func validPath(p string) bool {
	_, err := url.Parse("http://game" + p)
	return err == nil && strings.HasPrefix(p, "/") && len(p) <= 1024 && !strings.ContainsAny(p, " ?#")
}

// ValidateImage returns nil for text that could name an image, and otherwise a
// *runtime.InvalidError on "image". Whether there is one, the engine knows.
func ValidateImage(image string) error {
	invalid := func(reason string) error { return &runtime.InvalidError{Field: "image", Reason: reason} }
	switch {
	case image == "":
		return invalid("is required: name what to run, such as gameserver:1.0.0")
	case len(image) > maxImageBytes:
		return invalid(fmt.Sprintf("has %d bytes; at most %d are allowed", len(image), maxImageBytes))
	case strings.ContainsFunc(image, func(r rune) bool { return r <= ' ' || r > '~' }):
		return invalid(fmt.Sprintf("%.64q is not an image reference such as gameserver:1.0.0", image))
	case strings.ContainsAny(image[:1], "-:@"), strings.ContainsAny(image[len(image)-1:], ":@"), path.Clean("/"+image) != "/"+image:
		return invalid(fmt.Sprintf("%.64q is not an image reference such as gameserver:1.0.0", image))
	}
	return nil
}
