package federation

import (
	"fmt"
	"strings"
	"time"
)

// State is whether a store can be used.
type State string

// The states.
const (
	// StateReady: the store responds, and is the one that its name means.
	StateReady State = "ready"
	// StateDegraded: its daemon responds, but not its etcd. Only local reads work.
	StateDegraded State = "degraded"
	// StateUnreachable: no daemon of the store responds.
	StateUnreachable State = "unreachable"
	// StateIncompatible: its daemon speaks another version of the API, or is no rtmanager daemon.
	StateIncompatible State = "incompatible"
	// StateDenied: its daemon rejects the certificate of this daemon.
	StateDenied State = "denied"
	// StateDuplicate: the store is the daemon's own, or has another name already.
	StateDuplicate State = "duplicate"
)

// Store is what a daemon knows of one store.
type Store struct {
	Name string
	// URLs are those of its daemons, in the order of preference; empty for the daemon's own store.
	URLs []string
	// URL is the one of URLs that is in use; empty if none responds.
	URL   string
	State State
	// Error is why the store is not ready.
	Error string
	// ID, Version and Revision are those of the last response; empty and zero before the first one.
	ID, Version string
	Revision    int64
	// RespondedAt is the time of the last response, zero before the first one.
	RespondedAt time.Time
	// IsOwn reports whether it is the daemon's own store.
	IsOwn bool
}

// Setting is one store of the daemon's settings.
type Setting struct {
	Name string
	URLs []string
}

// ParseSettings parses stores: NAME=URL of each, followed by its further URLs without a name. It
// does not check the URLs.
func ParseSettings(texts []string) ([]Setting, error) {
	var stores []Setting
	for _, text := range texts {
		name, url, hasName := strings.Cut(strings.TrimSpace(text), "=")
		switch {
		case !hasName && len(stores) > 0 && name != "":
			last := &stores[len(stores)-1]
			last.URLs = append(last.URLs, strings.TrimSuffix(name, "/"))
			continue
		case !hasName || url == "":
			return nil, fmt.Errorf("%q is not NAME=URL, such as us=https://us-1:8080", redactUser(text))
		}
		if err := ValidateName(name); err != nil {
			return nil, err
		}
		stores = append(stores, Setting{Name: name, URLs: []string{strings.TrimSuffix(url, "/")}})
	}
	return stores, nil
}

// redactUser removes everything up to the last @, which may be a user and a password.
func redactUser(text string) string {
	if at := strings.LastIndex(text, "@"); at >= 0 {
		return "…" + text[at:]
	}
	return text
}

// maxNameBytes bounds the name of a store.
const maxNameBytes = 64

// ValidateName returns an error unless the name is 1 to 64 letters, digits, dots, hyphens and
// underscores, the first of them a letter or a digit. Such a name is one segment of a path.
func ValidateName(name string) error {
	isAllowed := func(r rune, extra string) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune(extra, r)
	}
	isValid := name != "" && len(name) <= maxNameBytes && isAllowed(rune(name[0]), "")
	for _, r := range name {
		isValid = isValid && isAllowed(r, ".-_")
	}
	if !isValid {
		return fmt.Errorf("%q is not the name of a store; use 1 to %d letters, digits, dots, hyphens and underscores, the first a letter or a digit", name, maxNameBytes)
	}
	return nil
}

// Request is a request to be forwarded to another store.
type Request struct {
	Store string
	// Path is the escaped path at the other daemon; Query is the raw query.
	Path, Query string
	Body        []byte
	// IsRead reports whether the request changes nothing, so that it may be sent twice.
	IsRead bool
	// OperationID is the Idempotency-Key to send; empty sends that of the client, if any.
	OperationID string
	// WriteTimeout bounds each write to the client. IdleTimeout bounds the time between two
	// writes, and is longer than the heartbeat of every daemon.
	WriteTimeout, IdleTimeout time.Duration
}
