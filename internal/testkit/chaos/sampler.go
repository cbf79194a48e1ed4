package chaos

import (
	"context"
	"sync"
	"time"

	"galaxy/rtmanager/internal/testkit/chaos/recording"
)

// sampleInterval is the time between two samples.
const sampleInterval = 250 * time.Millisecond

// sampler records the state of the cluster at an interval.
type sampler struct {
	cancel context.CancelFunc
	done   sync.WaitGroup
}

// startSampler starts the samples of an environment. The caller calls stop.
func startSampler(env Environment, record *recording.Writer) *sampler {
	ctx, cancel := context.WithCancel(context.Background())
	s := &sampler{cancel: cancel}
	s.done.Go(func() {
		tick := time.NewTicker(sampleInterval)
		defer tick.Stop()
		for {
			sample(env, record)
			select {
			case <-tick.C:
			case <-ctx.Done():
				sample(env, record)
				return
			}
		}
	})
	return s
}

func sample(env Environment, record *recording.Writer) {
	if env.Containers != nil {
		for _, d := range env.Daemons {
			if alive := env.Containers(d.Name()); alive != nil {
				record.Sample(recording.Containers, d.Name(), alive)
			}
		}
	}
	if env.Leader != nil {
		record.Sample(recording.EtcdLeader, "cluster", env.Leader())
	}
}

func (s *sampler) stop() {
	s.cancel()
	s.done.Wait()
}
