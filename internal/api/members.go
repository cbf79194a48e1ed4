package api

import (
	"strconv"
	"time"

	"galaxy/rtmanager/internal/domain/membership"
	"galaxy/rtmanager/internal/domain/node"
)

// ClusterMembers is the response to GET /v1/cluster/members: what each etcd member reports.
type ClusterMembers struct {
	ClusterID    string            `json:"cluster_id" doc:"The id of the etcd cluster in hexadecimal"`
	Responder    node.Ref          `json:"responder" doc:"The node that responds"`
	Local        bool              `json:"local" doc:"Whether no quorum has confirmed the list of members, so that it may be out of date"`
	Quorum       Quorum            `json:"quorum" doc:"How many members may be lost"`
	Timing       *MemberTiming     `json:"timing,omitempty" doc:"The timing that all members should have"`
	Members      []ClusterMember   `json:"members" nullable:"false" doc:"The members, by name"`
	Certificates []CertificateFile `json:"certificates" nullable:"false" doc:"The certificates that the node which responds uses"`
	Warnings     []string          `json:"warnings" nullable:"false" doc:"What needs the attention of an operator"`
}

// Quorum is how many members may be lost.
type Quorum struct {
	Members    int    `json:"members" doc:"The number of members with a vote"`
	Learners   int    `json:"learners" doc:"The number of members without a vote"`
	Responding int    `json:"responding" doc:"How many members with a vote respond"`
	Required   int    `json:"required" doc:"How many of these must respond"`
	MayBeLost  int    `json:"may_be_lost" doc:"How many more may be lost; negative if too few respond"`
	Text       string `json:"text" doc:"This as a text"`
}

// MemberTiming is the timing of an etcd member.
type MemberTiming struct {
	HeartbeatMS int64 `json:"heartbeat_ms" doc:"The interval of the leader's heartbeats in milliseconds"`
	ElectionMS  int64 `json:"election_ms" doc:"The time without a heartbeat after which a member campaigns, in milliseconds"`
}

// ClusterMember is one etcd member.
type ClusterMember struct {
	ID                  string          `json:"id" doc:"The id of the member in hexadecimal"`
	Name                string          `json:"name" doc:"The name of the member, REGION/NODE if a daemon embeds it; empty until it has started for the first time"`
	Role                membership.Role `json:"role" enum:"leader,follower,learner,unknown" doc:"What the member does; unknown if it does not respond"`
	Embedded            bool            `json:"embedded" doc:"Whether the daemon that responds embeds the member"`
	Responds            bool            `json:"responds" doc:"Whether the member responds"`
	Error               string          `json:"error,omitempty" doc:"Why no client URL of the member responds; if responds is true, a peer URL does"`
	PeerURLs            []string        `json:"peer_urls" nullable:"false" doc:"The URLs by which members reach it"`
	ClientURLs          []string        `json:"client_urls" nullable:"false" doc:"The URLs by which clients reach it"`
	RoundTripMS         float64         `json:"round_trip_ms" doc:"The round trip from the daemon that responds, in milliseconds; 0 to its own member"`
	Version             string          `json:"version" doc:"The version of etcd; empty if the member did not respond"`
	DBBytes             int64           `json:"db_bytes" doc:"Size of the database file"`
	DBBytesInUse        int64           `json:"db_bytes_in_use" doc:"Size of the data in the database file"`
	RaftIndex           int64           `json:"raft_index" doc:"The index of the latest log entry that the member knows to be committed"`
	RaftLag             int64           `json:"raft_lag" doc:"By how many log entries the member is behind the leader"`
	Problems            []string        `json:"problems" nullable:"false" doc:"What the member reports about itself, such as alarms"`
	Timing              *MemberTiming   `json:"timing,omitempty" doc:"The timing with which the member runs, if it is known"`
	CertificateNotAfter *time.Time      `json:"certificate_not_after,omitempty" doc:"When the certificate of its client URL expires"`
}

// CertificateFile is a certificate in use.
type CertificateFile struct {
	Use      string    `json:"use" doc:"The purpose, as in the metrics of certificates: api, client_ca, etcd_peer, …"`
	File     string    `json:"file" doc:"The file"`
	NotAfter time.Time `json:"not_after" doc:"When it expires; of a file of authorities, the first one that expires"`
}

// MemberRemoval is the response to DELETE /v1/cluster/members/{name}.
type MemberRemoval struct {
	Member    ClusterMember   `json:"member" doc:"The removed member"`
	DryRun    bool            `json:"dry_run" doc:"Whether nothing was changed"`
	Before    Quorum          `json:"before" doc:"What the cluster tolerated before"`
	After     Quorum          `json:"after" doc:"What it tolerates afterwards"`
	Warnings  []string        `json:"warnings" nullable:"false" doc:"Effects that an operator should know"`
	Remaining []ClusterMember `json:"remaining" nullable:"false" doc:"The other members"`
}

// ClusterMembersFrom converts the description of a cluster. Responder and Certificates are left
// empty.
func ClusterMembersFrom(c membership.Cluster) ClusterMembers {
	return ClusterMembers{
		ClusterID: strconv.FormatUint(c.ID, 16), Local: c.IsLocal, Quorum: quorumFrom(c.Quorum()), Timing: timingFrom(c.Timing),
		Members: membersFrom(c.Members), Certificates: []CertificateFile{}, Warnings: []string{},
	}
}

// MemberRemovalFrom converts the effect of a removal.
func MemberRemovalFrom(r membership.Removal, isDryRun bool) MemberRemoval {
	return MemberRemoval{
		Member: memberFrom(r.Member), DryRun: isDryRun, Before: quorumFrom(r.Before), After: quorumFrom(r.After),
		Warnings: append([]string{}, r.Warnings...), Remaining: membersFrom(r.Remaining),
	}
}

func quorumFrom(q membership.Quorum) Quorum {
	return Quorum{Members: q.Voters, Learners: q.Learners, Responding: q.Responding, Required: q.Required(), MayBeLost: q.Tolerated(), Text: q.String()}
}

func timingFrom(t membership.Timing) *MemberTiming {
	if t == (membership.Timing{}) {
		return nil
	}
	return &MemberTiming{HeartbeatMS: t.Heartbeat.Milliseconds(), ElectionMS: t.Election.Milliseconds()}
}

func membersFrom(list []membership.Member) []ClusterMember {
	members := make([]ClusterMember, 0, len(list))
	for _, m := range list {
		members = append(members, memberFrom(m))
	}
	return members
}

func memberFrom(m membership.Member) ClusterMember {
	encoded := ClusterMember{
		ID: m.HexID(), Name: m.Name, Role: m.Role(), Embedded: m.IsOwn, Responds: m.Responds(), Error: m.Failure,
		PeerURLs: append([]string{}, m.PeerURLs...), ClientURLs: append([]string{}, m.ClientURLs...),
		RoundTripMS: float64(m.RoundTrip.Microseconds()) / 1000, Version: m.Version, DBBytes: m.DBBytes, DBBytesInUse: m.DBBytesInUse,
		RaftIndex: int64(m.RaftIndex), RaftLag: int64(m.RaftLag), Problems: append([]string{}, m.Problems...), Timing: timingFrom(m.Timing),
	}
	if !m.CertificateNotAfter.IsZero() {
		at := m.CertificateNotAfter.UTC()
		encoded.CertificateNotAfter = &at
	}
	return encoded
}

// Label returns the name of the member, or its id as long as it has none.
func (m ClusterMember) Label() string {
	if m.Name == "" {
		return m.ID
	}
	return m.Name
}
