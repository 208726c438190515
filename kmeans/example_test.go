package kmeans_test

import (
	"fmt"

	"github.com/coterie-project/coterie/kmeans"
)

// Six customers by visits and spend, in two obvious groups.
func Example() {
	values := []float32{1, 20, 2, 25, 1, 22, 30, 900, 28, 950, 33, 880}
	points, err := kmeans.PointsFromRows(values, 6, 2, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	start, err := kmeans.Seed(points, kmeans.InitPlusPlus, 2, 1)
	if err != nil {
		fmt.Println(err)
		return
	}
	result, err := kmeans.Lloyd(points, start, kmeans.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	same := result.Labels[0] == result.Labels[1] && result.Labels[1] == result.Labels[2] && result.Labels[0] != result.Labels[3]
	fmt.Println(result.Counts, result.Converged, same)
	// Output: [3 3] true true
}

// A weight counts a row as many times: three rows, the last of which stands for two.
func ExamplePointsFromRows() {
	points, err := kmeans.PointsFromRows([]float32{0, 1, 4}, 3, 1, []float64{1, 1, 2})
	if err != nil {
		fmt.Println(err)
		return
	}
	start := &kmeans.Centroids{K: 1, D: 1, Values: []float32{0}}
	result, err := kmeans.Lloyd(points, start, kmeans.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(result.Centroids.Values[0])
	// Output: 2.25
}
