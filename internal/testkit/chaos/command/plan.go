package command

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"

	"galaxy/rtmanager/internal/testkit/chaos"
)

// plan is what a run will do.
type plan struct {
	options
	client   *http.Client // of the daemons
	env      chaos.Environment
	storeID  string
	noEtcd   error // why the changes of etcd are not recorded, nil if they are
	versions []string
}

// newPlan checks the options against the cluster, with reads only. The caller calls close.
func newPlan(ctx context.Context, o options) (*plan, error) {
	p := &plan{options: o, env: o.environment()}
	var err error
	if p.client, err = o.api.client(o.daemons); err != nil {
		return nil, err
	}
	found, err := identify(ctx, p.client, o.daemons)
	if err != nil {
		return nil, err
	}
	p.storeID = found[0].StoreID
	for _, one := range found {
		if !slices.Contains(p.versions, one.Version) {
			p.versions = append(p.versions, one.Version)
		}
	}
	p.env.Version = strings.Join(p.versions, ", ")
	if p.env.Etcd, p.noEtcd = o.etcd.connect(ctx); p.noEtcd == nil {
		p.env.Leader = leaderOf(p.env.Etcd)
	}
	return p, nil
}

func (p *plan) close() {
	if p.env.Etcd != nil {
		_ = p.env.Etcd.Close()
	}
	p.client.CloseIdleConnections()
}

// print describes the run.
func (p *plan) print(w io.Writer) {
	fmt.Fprintf(w, "Run %s, seed %d, for %s, on store %s of version %s\n", p.name(), p.seed, p.duration, p.storeID, p.env.Version)
	for _, d := range p.daemons {
		fmt.Fprintf(w, "  daemon     %s at %s\n", d.Name(), d.URL)
	}
	most := float64(len(p.daemons)*p.traffic.ClientsPerTarget) / p.traffic.Pause.Seconds()
	fmt.Fprintf(w, "  traffic    %d clients and %d watchers at each daemon, at most %.0f calls per second in total\n", p.traffic.ClientsPerTarget, p.traffic.Watchers, most)
	fmt.Fprintf(w, "  records    of %d games %s-record-*, which no daemon runs; deleted at the end\n", p.traffic.Games, p.name())
	if p.traffic.LifecycleGames > 0 {
		fmt.Fprintf(w, "  containers of %d games %s-game-* for each daemon, image %s; removed at the end\n", p.traffic.LifecycleGames, p.name(), p.traffic.Image)
	}
	if p.noEtcd == nil {
		fmt.Fprintf(w, "  etcd       all changes below %q are recorded\n", p.etcd.prefix+"/")
	} else {
		fmt.Fprintf(w, "  etcd       its changes are not recorded, so most rules are skipped: %v\n", p.noEtcd)
	}
	for _, f := range p.faults {
		fmt.Fprintf(w, "  fault      %s of %s, at most %s\n             inject: %s\n             repair: %s\n", f.kind, f.target, p.faultTime, f.inject, f.repair)
	}
	if len(p.faults) == 0 {
		fmt.Fprintf(w, "  faults     none\n")
	}
	fmt.Fprintf(w, "  recording  %s\n", p.dir)
}
