package placement

import "context"

// Usage returns what the games of the nodes of a region use, including those that are being
// started.
func (s *Scheduler) Usage(ctx context.Context, region string) (Load, error) {
	state, err := s.readRegion(ctx, region, nil)
	if err != nil {
		return nil, err
	}
	return state.loadWithout(""), nil
}
