package membership

import (
	"fmt"
	"strconv"
	"time"
)

// Cluster is the state of a cluster, as one member and the requests to all members report it.
type Cluster struct {
	// ID identifies the cluster.
	ID uint64
	// IsLocal means that the list of members is the one that a single member has stored,
	// because no quorum has confirmed it. It may be out of date.
	IsLocal bool
	// Members are sorted by name and id.
	Members []Member
	// Timing is the timing that the members should have; zero if none is stored.
	Timing Timing
}

// Timing is the timing of a member.
type Timing struct {
	// Heartbeat is the interval of the leader's heartbeats, Election the time without one after
	// which a member campaigns.
	Heartbeat, Election time.Duration
}

// Role is what a member does.
type Role string

// The roles. A member is unknown if it does not respond.
const (
	RoleLeader   Role = "leader"
	RoleFollower Role = "follower"
	RoleLearner  Role = "learner"
	RoleUnknown  Role = "unknown"
)

// Member is one member of a cluster.
type Member struct {
	// ID is the identity of the member. Name is empty until it has started for the first time;
	// that of an embedded member is REGION/NODE.
	ID   uint64
	Name string
	// PeerURLs are those by which members reach it, ClientURLs those by which clients do.
	PeerURLs, ClientURLs []string
	// IsLearner means that the member has no vote.
	IsLearner bool
	// IsOwn means that the daemon which reports embeds this member.
	IsOwn bool

	// Failure is why no client URL of the member responds, empty if one does. HasPeer means
	// that a peer URL responds nevertheless.
	Failure string
	HasPeer bool

	// What follows is zero if no client URL responds.

	IsLeader  bool
	RoundTrip time.Duration
	Version   string
	// DBBytes is the size of the database file, DBBytesInUse that of its data.
	DBBytes, DBBytesInUse int64
	// RaftIndex is the index of the latest committed entry that the member knows, and RaftLag
	// by how much that of the leader is larger.
	RaftIndex, RaftLag uint64
	// Problems are what the member reports about itself, such as alarms.
	Problems []string
	// Timing is that with which the member runs; zero if it is not known.
	Timing Timing
	// CertificateNotAfter is when the certificate of its client URL expires; zero without TLS.
	CertificateNotAfter time.Time
}

// Responds reports whether the member responds.
func (m Member) Responds() bool { return m.Failure == "" || m.HasPeer }

// Role returns the role of the member.
func (m Member) Role() Role {
	switch {
	case m.IsLearner:
		return RoleLearner
	case m.IsLeader:
		return RoleLeader
	case m.Failure == "":
		return RoleFollower
	}
	return RoleUnknown
}

// HexID returns the id as etcdctl prints it.
func (m Member) HexID() string { return strconv.FormatUint(m.ID, 16) }

// Label returns the name, or the id of a member that has never started.
func (m Member) Label() string {
	if m.Name == "" {
		return m.HexID()
	}
	return m.Name
}

// Quorum returns the quorum of the cluster.
func (c Cluster) Quorum() Quorum {
	var q Quorum
	for _, m := range c.Members {
		switch {
		case m.IsLearner:
			q.Learners++
		case m.Responds():
			q.Voters++
			q.Responding++
		default:
			q.Voters++
		}
	}
	return q
}

// Find returns the member with the name or the hexadecimal id. It returns a *NotFoundError
// with the members that exist, and an *UnsafeError if several have the name.
func (c Cluster) Find(name string) (Member, error) {
	var found []Member
	var labels, ids []string
	for _, m := range c.Members {
		labels = append(labels, m.Label())
		if name == m.HexID() {
			return m, nil
		}
		if name == m.Name && name != "" {
			found, ids = append(found, m), append(ids, m.HexID())
		}
	}
	switch len(found) {
	case 0:
		return Member{}, &NotFoundError{Name: name, Members: labels}
	case 1:
		return found[0], nil
	}
	return Member{}, &UnsafeError{Member: name, Reason: fmt.Sprintf("%d members have this name; name one of them by its id: %v", len(found), ids)}
}
