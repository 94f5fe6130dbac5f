"""What comes from other people's tools and goes to them: published weights, exports, forecasts in other layouts."""
