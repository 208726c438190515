module github.com/coterie-project/coterie/kmeans/internal/kernel/_neon

go 1.26.0
