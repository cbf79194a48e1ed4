package api

import "galaxy/rtmanager/internal/ports"

// Version is the version of the API. A daemon uses other stores of the same version only.
const Version = 1

// Cluster is the response to GET /v1/cluster: the store, and the daemon that responds.
type Cluster struct {
	APIVersion    int      `json:"api_version" doc:"The version of the API; 0 or absent of a daemon that does not state it means 1"`
	StoreID       string   `json:"store_id" doc:"The identity of the store; revisions are only comparable within one store"`
	Revision      int64    `json:"revision" doc:"The store's current revision"`
	SchemaVersion int      `json:"schema_version" doc:"The version of the key layout"`
	Version       string   `json:"version" doc:"The version of the daemon that responds"`
	Region        string   `json:"region" doc:"The region of the daemon that responds"`
	Node          string   `json:"node" doc:"The node name of the daemon that responds"`
	Leader        string   `json:"leader" doc:"The id of the leading etcd member, empty if there is none"`
	Members       []Member `json:"members" nullable:"false" doc:"The etcd members of the store"`
	Alarms        []string `json:"alarms" nullable:"false" doc:"The alarms that etcd has raised"`
}

// Member is one etcd member.
type Member struct {
	ID           string   `json:"id" doc:"The member's id in hexadecimal"`
	Name         string   `json:"name" doc:"The member's name"`
	ClientURLs   []string `json:"client_urls" nullable:"false" doc:"The URLs that clients connect to"`
	Leader       bool     `json:"leader" doc:"Whether the member is the leader"`
	Learner      bool     `json:"learner" doc:"Whether the member is a learner, which does not vote"`
	Version      string   `json:"version" doc:"The member's version; empty if it did not respond"`
	DBBytes      int64    `json:"db_bytes" doc:"Size of the database file"`
	DBBytesInUse int64    `json:"db_bytes_in_use" doc:"Size of the data in the database file"`
	QuotaBytes   int64    `json:"quota_bytes" doc:"Size at which the store becomes read-only"`
	Error        string   `json:"error,omitempty" doc:"Why the member did not respond"`
}

// ClusterFrom converts the description of a store. Version, Region and Node of the
// daemon are left empty.
func ClusterFrom(info ports.StoreInfo) Cluster {
	c := Cluster{
		APIVersion: Version,
		StoreID:    info.ID, Revision: info.Revision, SchemaVersion: info.SchemaVersion,
		Members: make([]Member, len(info.Members)), Alarms: append([]string{}, info.Alarms...),
	}
	for i, m := range info.Members {
		c.Members[i] = Member{
			ID: m.ID, Name: m.Name, ClientURLs: append([]string{}, m.ClientURLs...), Leader: m.Leader, Learner: m.Learner,
			Version: m.Version, DBBytes: m.DBBytes, DBBytesInUse: m.DBBytesInUse, QuotaBytes: m.QuotaBytes, Error: m.Error,
		}
		if m.Leader {
			c.Leader = m.ID
		}
	}
	return c
}

// StoreInfo is the inverse of ClusterFrom.
func (c Cluster) StoreInfo() ports.StoreInfo {
	info := ports.StoreInfo{ID: c.StoreID, Revision: c.Revision, SchemaVersion: c.SchemaVersion, Alarms: c.Alarms}
	for _, m := range c.Members {
		info.Members = append(info.Members, ports.StoreMember{
			ID: m.ID, Name: m.Name, ClientURLs: m.ClientURLs, Leader: m.Leader, Learner: m.Learner,
			Version: m.Version, DBBytes: m.DBBytes, DBBytesInUse: m.DBBytesInUse, QuotaBytes: m.QuotaBytes, Error: m.Error,
		})
	}
	return info
}
