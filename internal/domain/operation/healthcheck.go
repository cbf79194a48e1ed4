package operation

import (
	"cmp"
	"fmt"
	"net/url"
	"path/filepath"
	"strings"
	"time"

	"galaxy/rtmanager/internal/domain/runtime"
)

// HealthKind is how the health of a game is checked.
type HealthKind string

// The kinds of health checks. The zero value means HealthKindHTTP.
const (
	// HealthKindHTTP sends GET requests to the main port of the game.
	HealthKindHTTP HealthKind = "http"
	// HealthKindTCP connects to the main port of the game.
	HealthKindTCP HealthKind = "tcp"
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
	// Kind defaults to HealthKindHTTP, and to HealthKindNone if Spec.HealthPath is "none".
	Kind HealthKind `json:"kind,omitempty"`
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

// HealthCheck returns the health check of the game with its defaults.
func (s Spec) HealthCheck() HealthCheck {
	check := s.Health
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
	// URL is http://HOST:PORT/PATH or tcp://HOST:PORT; empty for a heartbeat.
	URL string
	// Heartbeat is the path of the file of a heartbeat on the node, which must have been
	// modified within MaxAge, and not before Since unless that is zero.
	Heartbeat string
	MaxAge    time.Duration
	Since     time.Time
	// Timeout is how long the check may take; 0 means the prober's default.
	Timeout time.Duration
}

// Target returns what a check of a running game reads. endpoint is the URL of its main port,
// and statePath its state directory on the node. It returns false if that is not known yet.
func (h HealthCheck) Target(endpoint, statePath string) (HealthTarget, bool) {
	target := HealthTarget{Timeout: time.Duration(h.Timeout)}
	switch h.Kind {
	case HealthKindHeartbeat:
		target.Heartbeat, target.MaxAge = filepath.Join(statePath, HeartbeatFile), time.Duration(h.Interval)
		return target, statePath != ""
	case HealthKindTCP:
		parsed, err := url.Parse(endpoint)
		if err != nil || endpoint == "" {
			return target, false
		}
		target.URL = "tcp://" + parsed.Host
		return target, true
	default:
		target.URL = endpoint + h.Path
		return target, endpoint != ""
	}
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
	kinds := []string{string(HealthKindHTTP), string(HealthKindTCP), string(HealthKindHeartbeat), string(HealthKindNone)}
	isKind := h.Kind == ""
	for _, kind := range kinds {
		isKind = isKind || kind == string(h.Kind)
	}
	addIf(!isKind, "health.kind", "%.64q is not a kind of health checks; use one of %s", h.Kind, strings.Join(kinds, ", "))
	addIf(h.Path != "" && !isURLPath(h.Path), "health.path", "%.64q is not a path such as /healthz", h.Path)
	addIf(h.Path != "" && isKind && h.Kind != "" && h.Kind != HealthKindHTTP, "health.path", "is for the kind %s, and the kind is %s", HealthKindHTTP, h.Kind)
	addIf(s.HealthPath == NoHealthCheck && h != HealthCheck{} && h.Kind != HealthKindNone, "health_path", "%q contradicts the member health; omit one of them", NoHealthCheck)
	addIf(h.Path != "" && s.HealthPath != "" && s.HealthPath != h.Path, "health_path", "%.64q contradicts the path %.64q of the member health; omit one of them", s.HealthPath, h.Path)
	for field, wait := range map[string]Duration{"health.start_delay": h.StartDelay, "health.interval": h.Interval, "health.timeout": h.Timeout} {
		addIf(wait < 0 || wait > maxWait, field, "%s is not from 0 to %s", time.Duration(wait), time.Duration(maxWait))
	}
	addIf(h.FailureThreshold < 0 || h.FailureThreshold > maxFailureThreshold, "health.failure_threshold", "%d is not from 0 to %d", h.FailureThreshold, maxFailureThreshold)
	return faults
}
