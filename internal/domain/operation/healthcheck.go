package operation

import (
	"cmp"
	"fmt"
	"net"
	"net/url"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"galaxy/rtmanager/internal/domain/runtime"
)

// HealthKind is how the health of a game is checked.
type HealthKind string

// The kinds of health checks. The zero value means HealthKindHTTP.
const (
	// HealthKindHTTP sends GET requests to the main port of the game, or to HealthCheck.Port.
	HealthKindHTTP HealthKind = "http"
	// HealthKindTCP connects to the main port of the game, or to HealthCheck.Port.
	HealthKindTCP HealthKind = "tcp"
	// HealthKindExec runs a command in the container, which exits with 0 if the game is healthy.
	HealthKindExec HealthKind = "exec"
	// HealthKindHeartbeat reads when the game last modified the file HeartbeatFile of its
	// state directory, which is its HOME.
	HealthKindHeartbeat HealthKind = "heartbeat"
	// HealthKindNone checks nothing: the game is healthy while it runs.
	HealthKindNone HealthKind = "none"
)

// HeartbeatFile is the name of the file that a game modifies to report that it is healthy.
const HeartbeatFile = "heartbeat"

// Defaults of health checks.
const (
	DefaultHealthCheckTimeout = 2 * time.Second
	DefaultHeartbeatInterval  = 10 * time.Second
)

// maxFailureThreshold bounds HealthCheck.FailureThreshold.
const maxFailureThreshold = 1000

// HealthCheck specifies how the health of a game is checked. The zero value of each field
// means the default that its comment names.
type HealthCheck struct {
	// Kind defaults to HealthKindHTTP, to HealthKindExec with Exec, and to HealthKindNone if Spec.HealthPath is "none".
	Kind HealthKind `json:"kind,omitempty"`
	// Exec is the command of HealthKindExec.
	Exec HealthCommand `json:"exec,omitzero"`
	// Port is the name of the TCP port of Spec.Ports that HealthKindHTTP and HealthKindTCP use. Default the main port.
	Port string `json:"port,omitempty"`
	// Path is the path of HealthKindHTTP. Default Spec.HealthPath.
	Path string `json:"path,omitempty"`
	// StartDelay is the time after a start during which failures do not count. The start waits
	// for that much longer. Default 0.
	StartDelay Duration `json:"start_delay,omitzero"`
	// Interval is the least time between two checks; the node checks at intervals of its own,
	// and no more often. For HealthKindHeartbeat it is the greatest age of the heartbeat.
	// Default 0, and 10 s for a heartbeat.
	Interval Duration `json:"interval,omitzero"`
	// Timeout is how long one check may take. Default 2 s.
	Timeout Duration `json:"timeout,omitzero"`
	// FailureThreshold is the number of failures in a row that make the game unhealthy. 0 means
	// that of the node, which is 3.
	FailureThreshold int `json:"failure_threshold,omitempty"`
}

// HealthCommand is the command of a health check. It has the variables and the directory of the game.
type HealthCommand struct {
	// Command is the program and its arguments, as in ports.CommandRunner: no shell interprets them.
	Command []string `json:"command,omitempty"`
}

// Equal reports whether the health checks are the same.
func (h HealthCheck) Equal(other HealthCheck) bool {
	return h.Kind == other.Kind && slices.Equal(h.Exec.Command, other.Exec.Command) && h.Port == other.Port && h.Path == other.Path &&
		h.StartDelay == other.StartDelay && h.Interval == other.Interval && h.Timeout == other.Timeout && h.FailureThreshold == other.FailureThreshold
}

// usesPort reports whether the check uses a port of the game.
func (h HealthCheck) usesPort() bool { return h.Kind == HealthKindHTTP || h.Kind == HealthKindTCP }

// HealthCheck returns the health check of the game with its defaults.
func (s Spec) HealthCheck() HealthCheck {
	check := s.Health
	if check.Kind == "" && len(check.Exec.Command) > 0 {
		check.Kind = HealthKindExec
	}
	if check.Kind == "" && cmp.Or(check.Path, s.HealthPath) == NoHealthCheck {
		check.Kind = HealthKindNone
	}
	check.Kind = cmp.Or(check.Kind, HealthKindHTTP)
	check.Path = cmp.Or(check.Path, s.HealthPath, DefaultHealthPath)
	if check.Kind != HealthKindHTTP {
		check.Path = ""
	}
	if check.Kind == HealthKindHeartbeat {
		check.Interval = cmp.Or(check.Interval, Duration(DefaultHeartbeatInterval))
	}
	check.Timeout = cmp.Or(check.Timeout, Duration(DefaultHealthCheckTimeout))
	return check
}

// HasHealthCheck reports whether the game has a health check.
func (s Spec) HasHealthCheck() bool { return s.HealthCheck().Kind != HealthKindNone }

// HealthTarget is what one health check reads.
type HealthTarget struct {
	// URL is http://HOST:PORT/PATH or tcp://HOST:PORT; empty for other kinds.
	URL string
	// Command is to be run in the container ContainerID, and must exit with 0; nil for other kinds.
	Command     []string
	ContainerID string
	// Heartbeat is the path of the file of a heartbeat on the node, which must have been
	// modified within MaxAge, and not before Since unless that is zero.
	Heartbeat string
	MaxAge    time.Duration
	Since     time.Time
	// Timeout is how long the check may take; 0 means the prober's default.
	Timeout time.Duration
}

// HealthSource is what a node knows of a running game for its health checks.
type HealthSource struct {
	ContainerID string
	// Endpoint is the URL of the main port, StatePath the state directory on the node.
	Endpoint, StatePath string
	// Ports are the ports of players.
	Ports []runtime.Port
	// HasContainerAddress reports that Endpoint has an address of the container itself, with its own ports.
	HasContainerAddress bool
}

// Target returns what a check of a running game reads. It returns false if that is not known yet.
func (h HealthCheck) Target(from HealthSource) (HealthTarget, bool) {
	target := HealthTarget{Timeout: time.Duration(h.Timeout)}
	switch h.Kind {
	case HealthKindHeartbeat:
		target.Heartbeat, target.MaxAge = filepath.Join(from.StatePath, HeartbeatFile), time.Duration(h.Interval)
		return target, from.StatePath != ""
	case HealthKindExec:
		target.Command, target.ContainerID = h.Exec.Command, from.ContainerID
		return target, from.ContainerID != ""
	case HealthKindHTTP, HealthKindTCP, HealthKindNone:
	}
	if h.Kind != HealthKindTCP && h.Port == "" {
		target.URL = from.Endpoint + h.Path
		return target, from.Endpoint != ""
	}
	address, isKnown := h.address(from)
	if !isKnown {
		return target, false
	}
	target.URL = "http://" + address + h.Path
	if h.Kind == HealthKindTCP {
		target.URL = "tcp://" + address
	}
	return target, true
}

// address returns the HOST:PORT of the main port, or of the named port at the same host.
func (h HealthCheck) address(from HealthSource) (address string, isKnown bool) {
	parsed, err := url.Parse(from.Endpoint)
	if err != nil || from.Endpoint == "" {
		return "", false
	}
	if h.Port == "" {
		return parsed.Host, true
	}
	i := slices.IndexFunc(from.Ports, func(p runtime.Port) bool { return p.Name == h.Port })
	if i < 0 {
		return "", false
	}
	port := from.Ports[i].Port
	if from.HasContainerAddress {
		port = from.Ports[i].ContainerPort
	}
	return net.JoinHostPort(parsed.Hostname(), strconv.Itoa(port)), port != 0
}

// validateHealth returns the faults of the health check of a spec.
func (s Spec) validateHealth() []error {
	var faults []error
	addIf := func(invalid bool, field, format string, args ...any) {
		if invalid {
			faults = append(faults, &runtime.InvalidError{Field: field, Reason: fmt.Sprintf(format, args...)})
		}
	}
	h := s.Health
	kinds := HealthKinds()
	isKind := h.Kind == ""
	isKind = isKind || slices.Contains(kinds, string(h.Kind))
	addIf(!isKind, "health.kind", "%.64q is not a kind of health checks; use one of %s", h.Kind, strings.Join(kinds, ", "))
	addIf(h.Path != "" && !isURLPath(h.Path), "health.path", "%.64q is not a path such as /healthz", h.Path)
	addIf(h.Path != "" && isKind && h.Kind != "" && h.Kind != HealthKindHTTP, "health.path", "is for the kind %s, and the kind is %s", HealthKindHTTP, h.Kind)
	used := s.HealthCheck()
	addIf(used.Kind == HealthKindExec && (len(h.Exec.Command) == 0 || h.Exec.Command[0] == ""), "health.exec.command", "is required for the kind %s: the program, and then each argument", HealthKindExec)
	addIf(isKind && used.Kind != HealthKindExec && len(h.Exec.Command) > 0, "health.exec", "is for the kind %s, and the kind is %s", HealthKindExec, used.Kind)
	addIf(isKind && h.Port != "" && !used.usesPort(), "health.port", "is for the kinds %s and %s, and the kind is %s", HealthKindHTTP, HealthKindTCP, used.Kind)
	faults = append(faults, s.validateHealthCommand()...)
	addIf(h.Port != "" && !s.hasTCPPort(h.Port), "health.port", "%.64q is not the name of a TCP port of the member ports", h.Port)
	addIf(s.HealthPath == NoHealthCheck && !h.Equal(HealthCheck{}) && h.Kind != HealthKindNone, "health_path", "%q contradicts the member health; omit one of them", NoHealthCheck)
	addIf(h.Path != "" && s.HealthPath != "" && s.HealthPath != h.Path, "health_path", "%.64q contradicts the path %.64q of the member health; omit one of them", s.HealthPath, h.Path)
	for field, wait := range map[string]Duration{"health.start_delay": h.StartDelay, "health.interval": h.Interval, "health.timeout": h.Timeout} {
		addIf(wait < 0 || wait > maxWait, field, "%s is not from 0 to %s", time.Duration(wait), time.Duration(maxWait))
	}
	addIf(h.FailureThreshold < 0 || h.FailureThreshold > maxFailureThreshold, "health.failure_threshold", "%d is not from 0 to %d", h.FailureThreshold, maxFailureThreshold)
	return faults
}

// HealthKinds returns the kinds of health checks.
func HealthKinds() []string {
	return []string{string(HealthKindHTTP), string(HealthKindTCP), string(HealthKindExec), string(HealthKindHeartbeat), string(HealthKindNone)}
}

// maxHealthCommandBytes bounds the command of a health check.
const maxHealthCommandBytes = 4 << 10

// validateHealthCommand returns the faults of the command of a health check.
func (s Spec) validateHealthCommand() (faults []error) {
	size := 0
	for _, word := range s.Health.Exec.Command {
		size += len(word) + 1
		if !utf8.ValidString(word) || strings.Contains(word, "\x00") {
			faults = append(faults, &runtime.InvalidError{Field: "health.exec.command", Reason: fmt.Sprintf("contains %.64q, which is not UTF-8 text without NUL", word)})
		}
	}
	if size > maxHealthCommandBytes {
		faults = append(faults, &runtime.InvalidError{Field: "health.exec.command", Reason: fmt.Sprintf("has %d bytes; at most %d are allowed", size, maxHealthCommandBytes)})
	}
	return faults
}

// hasTCPPort reports whether the game has a TCP port of the name.
func (s Spec) hasTCPPort(name string) bool {
	return slices.ContainsFunc(s.Ports, func(p PortSpec) bool {
		return p.Name == name && cmp.Or(p.Protocol, DefaultProtocol) == runtime.ProtocolTCP
	})
}
