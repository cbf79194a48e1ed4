package etcdstore

import (
	"context"
	"fmt"

	clientv3 "go.etcd.io/etcd/client/v3"

	"galaxy/rtmanager/internal/ports"
)

// Info implements ports.StoreInspector. The revision comes from a linearizable
// read; what members say of themselves is asked of each in turn.
func (s *Store) Info(ctx context.Context) (ports.StoreInfo, error) {
	ctx, done, err := s.begin(ctx)
	if err != nil {
		return ports.StoreInfo{}, err
	}
	defer done()
	head, err := s.get(ctx, s.keys.schema(), clientv3.WithKeysOnly())
	if err != nil {
		return ports.StoreInfo{}, fmt.Errorf("info: %w", err)
	}
	info := ports.StoreInfo{ID: s.id, Revision: head.Header.GetRevision(), SchemaVersion: layoutVersion}
	if info.Members, err = s.members(ctx); err != nil {
		return ports.StoreInfo{}, fmt.Errorf("info: %w", err)
	}
	alarms, err := read(ctx, s, s.client.AlarmList)
	if err != nil {
		return ports.StoreInfo{}, fmt.Errorf("info: %w", err)
	}
	for _, a := range alarms.Alarms {
		info.Alarms = append(info.Alarms, fmt.Sprintf("%s on member %x", a.GetAlarm(), a.GetMemberID()))
	}
	return info, nil
}

func (s *Store) members(ctx context.Context) ([]ports.StoreMember, error) {
	list, err := read(ctx, s, func(ctx context.Context) (*clientv3.MemberListResponse, error) { return s.client.MemberList(ctx) })
	if err != nil {
		return nil, err
	}
	members := make([]ports.StoreMember, len(list.Members))
	for i, m := range list.Members {
		members[i] = ports.StoreMember{
			ID: fmt.Sprintf("%x", m.GetID()), Name: m.GetName(), ClientURLs: m.GetClientURLs(), Learner: m.GetIsLearner(),
			Error: "not among the endpoints that this process talks to",
		}
	}
	endpoints := s.client.Endpoints()
	if len(endpoints) == 0 {
		endpoints = []string{""} // the in-process client has its one member
	}
	for _, endpoint := range endpoints {
		s.askMember(ctx, endpoint, members)
	}
	return members, nil
}

// askMember fills in what the member behind an endpoint says of itself. A member
// that does not answer stays without, which is what Error says.
func (s *Store) askMember(ctx context.Context, endpoint string, members []ports.StoreMember) {
	status, err := attempt(ctx, s, func(ctx context.Context) (*clientv3.StatusResponse, error) { return s.client.Status(ctx, endpoint) })
	if err != nil {
		s.log.Debug("etcd member did not answer", "endpoint", endpoint, "error", err)
		return
	}
	for i := range members {
		if members[i].ID != fmt.Sprintf("%x", status.Header.GetMemberId()) {
			continue
		}
		m := &members[i]
		m.Error = ""
		m.Leader = status.Leader == status.Header.GetMemberId()
		m.Version, m.DBBytes, m.DBBytesInUse, m.QuotaBytes = status.Version, status.DbSize, status.DbSizeInUse, status.DbSizeQuota
	}
}
