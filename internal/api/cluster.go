package api

import "galaxy/rtmanager/internal/ports"

// Cluster describes the store and the daemon that answered.
type Cluster struct {
	StoreID       string   `json:"store_id" doc:"The identity of the store, which revisions belong to"`
	Revision      int64    `json:"revision" doc:"The store's revision at this moment"`
	SchemaVersion int      `json:"schema_version" doc:"The version of the layout of the keys"`
	Version       string   `json:"version" doc:"The version of the daemon that answered"`
	Region        string   `json:"region" doc:"The daemon's region"`
	Node          string   `json:"node" doc:"The daemon's node name"`
	Leader        string   `json:"leader" doc:"The id of the member that leads, empty where none is known"`
	Members       []Member `json:"members" nullable:"false" doc:"The members of the cluster that keeps the store"`
	Alarms        []string `json:"alarms" nullable:"false" doc:"Alarms that the store has raised, in its own words"`
}

// Member is one member of the cluster.
type Member struct {
	ID           string   `json:"id"`
	Name         string   `json:"name"`
	ClientURLs   []string `json:"client_urls" nullable:"false"`
	Leader       bool     `json:"leader"`
	Learner      bool     `json:"learner"`
	Version      string   `json:"version" doc:"What the member answered; empty with an error"`
	DBBytes      int64    `json:"db_bytes"`
	DBBytesInUse int64    `json:"db_bytes_in_use"`
	QuotaBytes   int64    `json:"quota_bytes"`
	Error        string   `json:"error,omitempty" doc:"Why the member did not answer for itself"`
}

// ClusterFrom returns the store's description as the API tells it; the
// daemon's own members are left empty.
func ClusterFrom(info ports.StoreInfo) Cluster {
	c := Cluster{
		StoreID: info.ID, Revision: info.Revision, SchemaVersion: info.SchemaVersion,
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
