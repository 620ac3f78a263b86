// In place of the theme's file of this name, which holds every icon as a drawing (1.5 MB for each page). The theme's
// style sheet shows the same icons from fonts, at a tenth of the weight.
