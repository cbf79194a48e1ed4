package etcdcluster

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"go.etcd.io/etcd/api/v3/etcdserverpb"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// Member is an entry of the member list of a cluster.
type Member struct {
	// ID is the identity of the member; etcd never uses the id of a removed member a second time.
	ID uint64
	// Name is empty until the member has started for the first time.
	Name string
	// PeerURLs are the URLs by which other members reach it.
	PeerURLs []string
	// ClientURLs are those by which clients reach it; empty until it has started.
	ClientURLs []string
	// IsLearner reports whether the member has no vote: it copies the data of the leader.
	IsLearner bool
}

// IsStarted reports whether the member has been part of the cluster at least once.
func (m Member) IsStarted() bool { return m.Name != "" }

// Label returns the name of the member, or its peer URLs and id as long as it has no name.
func (m Member) Label() string {
	if m.Name != "" {
		return m.Name
	}
	return fmt.Sprintf("at %s (%x, not started yet)", strings.Join(m.PeerURLs, ", "), m.ID)
}

// Members is the member list of a cluster.
type Members struct {
	// ClusterID identifies the cluster.
	ClusterID uint64
	// List is sorted by name and id.
	List []Member
}

// ByID returns the member with the id.
func (m Members) ByID(id uint64) (Member, bool) {
	return m.find(func(member Member) bool { return member.ID == id })
}

// ByName returns the member with the name. A member that has never started has no name.
func (m Members) ByName(name string) (Member, bool) {
	return m.find(func(member Member) bool { return member.Name == name && name != "" })
}

// Voters returns the number of members that have a vote.
func (m Members) Voters() int {
	voters := 0
	for _, member := range m.List {
		if !member.IsLearner {
			voters++
		}
	}
	return voters
}

func (m Members) find(matches func(Member) bool) (Member, bool) {
	index := slices.IndexFunc(m.List, matches)
	if index < 0 {
		return Member{}, false
	}
	return m.List[index], true
}

// List returns the members of the cluster. It is linearizable, so it needs a quorum.
func List(ctx context.Context, client *clientv3.Client) (Members, error) {
	response, err := client.MemberList(ctx)
	return membersOf(response, err)
}

// ListLocal returns the members that the member of the client's connection has stored. It needs
// no quorum and can be out of date.
func ListLocal(ctx context.Context, client *clientv3.Client) (Members, error) {
	response, err := client.MemberList(ctx, clientv3.WithSerializable())
	return membersOf(response, err)
}

func membersOf(response *clientv3.MemberListResponse, err error) (Members, error) {
	if err != nil {
		return Members{}, err
	}
	return Members{ClusterID: response.Header.GetClusterId(), List: membersFrom(response.Members)}, nil
}

func membersFrom(list []*etcdserverpb.Member) []Member {
	members := make([]Member, 0, len(list))
	for _, m := range list {
		members = append(members, Member{
			ID: m.GetID(), Name: m.GetName(), PeerURLs: m.GetPeerURLs(), ClientURLs: m.GetClientURLs(), IsLearner: m.GetIsLearner(),
		})
	}
	slices.SortFunc(members, func(a, b Member) int {
		if byName := strings.Compare(a.Name, b.Name); byName != 0 {
			return byName
		}
		if a.ID < b.ID {
			return -1
		}
		return 1
	})
	return members
}
